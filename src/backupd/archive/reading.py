"""What a worker is told of a member."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

Known = tuple[int, int, int | None, int, int, int, int, int]
"""What is known of a member, in the order of `Member` from `mtime_ns` to `device`."""


class Reading(NamedTuple):
    """A member for a worker to read, in values that `marshal` knows.

    The fields are the first of `Member`, in the same order, and a salt.
    """

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


Columns = list[tuple[Any, ...]]
"""A sequence for each field of `Reading`: turned so, many members take few steps of Python."""


def readings(columns: Columns) -> Iterator[Reading]:
    """Give the members that stand in columns."""
    return map(Reading._make, zip(*columns, strict=True))


def own_reading(path: str, created_at: datetime, salt: bytes = b"") -> Reading:
    """Describe a file that backupd itself puts into an archive."""
    created_ns = int(created_at.timestamp()) * 1_000_000_000
    return Reading(path, "file", created_ns, 0o600, 0, 0, 0, 0, 0, 0, "", "", salt)
