"""Small text objects beside an archive: its checksum, and marks that everybody can see."""

import tempfile
from pathlib import Path

from backupd.ports import Destination


def put_beside(destination: Destination, key: str, text: str) -> None:
    """Store the text under `key`; if the same stands there already, well.

    Raises:
        DestinationError: it cannot be stored.
    """
    with tempfile.TemporaryDirectory(prefix="backupd-") as folder:
        path = Path(folder) / key
        path.write_text(text, encoding="ascii")
        destination.store(key, path, on_progress=lambda _: None)
