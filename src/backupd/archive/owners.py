"""Users and groups of the machine that was backed up, as ids of this one."""

from functools import cache
from grp import getgrnam
from pwd import getpwnam

from backupd.model import ManifestEntry


def owner_ids(entry: ManifestEntry) -> tuple[int, int]:
    """Return uid and gid: of the same names if this machine has them, else the same numbers."""
    return _uid(entry.user, entry.uid), _gid(entry.group, entry.gid)


@cache
def _uid(name: str, number: int) -> int:
    try:
        return getpwnam(name).pw_uid if name else number
    except KeyError:
        return number


@cache
def _gid(name: str, number: int) -> int:
    try:
        return getgrnam(name).gr_gid if name else number
    except KeyError:
        return number
