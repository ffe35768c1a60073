"""Small text objects beside an archive: its checksum, and marks that everybody can see."""

import tempfile
from pathlib import Path

from backupd.ports import Destination


def put_beside(destination: Destination, key: str, text: str) -> None:
    """Store the text under `key`; what is there already stays.

    Raises:
        DestinationError: it cannot be stored.
    """
    if any(stored.key == key for stored in destination.list(key)):
        return
    with tempfile.TemporaryDirectory(prefix="backupd-") as folder:
        path = Path(folder) / key
        path.write_text(text, encoding="ascii")
        destination.store(key, path, on_progress=lambda _: None)
