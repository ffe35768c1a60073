"""Small text objects beside an archive: its checksum, and marks that everybody can see."""

from pathlib import Path

from backupd.durable import write_private
from backupd.errors import DestinationError
from backupd.model import Scope, SpooledArchive
from backupd.naming import partial_name, pin_key, scope_key
from backupd.ports import Destination

PIN_TEXT = (
    "This backup is pinned: backupd never removes it. 'backupd unpin' takes this file away.\n"
)


def marks_of(archive: SpooledArchive) -> dict[str, str]:
    """Give the texts of the marks that stand beside an archive, by their keys."""
    marks = {}
    if archive.scope is not Scope.FULL:
        text = f"This backup is not a full one: {archive.scope}.\n"
        marks[scope_key(archive.name, archive.scope)] = text
    if archive.pinned:
        marks[pin_key(archive.name)] = PIN_TEXT
    return marks


def put_beside(destination: Destination, key: str, text: str, folder: Path) -> None:
    """Store the text under `key`; if the same stands there already, well.

    It is written in `folder` first, which is the spool: where it is a link, it must be durable.

    Raises:
        DestinationError: it cannot be stored.
    """
    path = folder / partial_name(key)
    try:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(path, text.encode("ascii"))
            destination.store(key, path, on_progress=lambda _: None)
        finally:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise DestinationError(
            f"The spool {folder} cannot be used: {error.strerror or error}.",
            hint="Set BACKUP_SPOOL to a directory that backupd may write to.",
        ) from error
