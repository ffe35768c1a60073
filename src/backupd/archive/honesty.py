"""What no honest archive says of its members: values out of range, names that lead out."""

import re
from collections.abc import Iterable

from backupd.errors import DamagedError
from backupd.model import ManifestEntry, MemberKind

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MODES = 0o7777
_SIZES = range(2**63)
_TIMES = range(-(2**63) * 10**9, 2**63 * 10**9)
"""Nanoseconds, of as many seconds as a file system can say."""
_IDS = range(2**32)


def refuse_odd_values(entries: Iterable[ManifestEntry]) -> None:
    """Make sure that a manifest says of each member what only backupd would have written.

    Raises:
        DamagedError: a value is of another kind or out of range, or a digest is missing.
    """
    for entry in entries:
        if not (_has_texts(entry) and _has_numbers(entry)):
            raise DamagedError(f"The archive's manifest makes no sense of {entry.path!r}.")


def _has_texts(entry: ManifestEntry) -> bool:
    texts = (entry.path, entry.user, entry.group, entry.sha256, entry.link_target)
    if {*map(type, texts)} != {str}:
        return False
    if entry.kind is MemberKind.DIRECTORY:
        return not entry.sha256
    return bool(_SHA256.fullmatch(entry.sha256))


def _has_numbers(entry: ManifestEntry) -> bool:
    numbers = (entry.size, entry.mtime_ns, entry.mode, entry.uid, entry.gid)
    return (
        {*map(type, numbers)} == {int}
        and entry.size in _SIZES
        and entry.mtime_ns in _TIMES
        and 0 <= entry.mode <= _MODES
        and entry.uid in _IDS
        and entry.gid in _IDS
    )


def refuse_unsafe_paths(entries: Iterable[ManifestEntry]) -> None:
    """Make sure that every member lies below the directory that it is restored into.

    Raises:
        DamagedError: a path is absolute, leads upwards, or passes through a member that is no
            directory; two members have the same path.
    """
    kinds: dict[str, MemberKind] = {}
    for entry in entries:
        parts = entry.path.split("/")
        if "" in parts or "." in parts or ".." in parts or "\0" in entry.path:
            raise DamagedError(
                f"The archive has a member named {entry.path!r}, which no backup has.",
                hint="Nothing of it was restored; find out who wrote to this destination.",
            )
        if entry.path in kinds:
            raise DamagedError(f"The archive has two members named {entry.path!r}.")
        kinds[entry.path] = entry.kind
    seen: set[str] = set()
    for path in kinds:
        for parent in parents(path):
            if parent in seen:
                break
            seen.add(parent)
            if kinds.get(parent, MemberKind.DIRECTORY) is not MemberKind.DIRECTORY:
                raise DamagedError(
                    f"The archive has a member {path!r} inside {parent!r}, "
                    "which is no directory in it.",
                    hint="Nothing of it was restored; find out who wrote to this destination.",
                )


def parents(path: str) -> Iterable[str]:
    """Give the directories that lead to `path`, the innermost first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
