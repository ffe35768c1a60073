"""Small text objects beside an archive: its checksum, and marks that everybody can see."""

import tempfile
from pathlib import Path

from backupd.model import Scope, SpooledArchive
from backupd.naming import pin_key, scope_key
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


def put_beside(destination: Destination, key: str, text: str) -> None:
    """Store the text under `key`; if the same stands there already, well.

    Raises:
        DestinationError: it cannot be stored.
    """
    with tempfile.TemporaryDirectory(prefix="backupd-") as folder:
        path = Path(folder) / key
        path.write_text(text, encoding="ascii")
        destination.store(key, path, on_progress=lambda _: None)
