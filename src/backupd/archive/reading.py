"""What a worker is told of a member."""

from datetime import datetime
from typing import NamedTuple

Known = tuple[int, int, int, int, int, int, int, int]
"""What is known of a member, in the order of `Reading` from `mtime_ns` to `device`."""


class Reading(NamedTuple):
    """A member for a worker to read, in values that `marshal` knows."""

    path: str
    kind: str
    mtime_ns: int
    mode: int
    size: int
    uid: int
    gid: int
    ctime_ns: int
    inode: int
    device: int
    link_target: str
    origin: str
    salt: bytes

    @property
    def known(self) -> Known:
        """What the walk saw."""
        return self[2:10]


def own_reading(path: str, created_at: datetime, salt: bytes = b"") -> Reading:
    """Describe a file that backupd itself puts into an archive."""
    created_ns = int(created_at.timestamp()) * 1_000_000_000
    return Reading(path, "file", created_ns, 0o600, 0, 0, 0, 0, 0, 0, "", "", salt)
