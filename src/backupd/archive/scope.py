"""How much of its set an archive holds, by its own manifest."""

from pathlib import Path

from backupd.archive.previous import Previous
from backupd.errors import ArchiveError
from backupd.model import Scope


def scope_of(path: Path, password: str) -> Scope | None:
    """Read it from a file; None if it is no archive of ours, or cannot be read."""
    try:
        with Previous(path, password, path.parent) as archive:
            return Scope(archive.head["scope"])
    except (ArchiveError, OSError, ValueError, KeyError):
        return None
