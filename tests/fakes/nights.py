"""Archives by name, small and whole, put where destinations keep theirs."""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from functools import cache

from backupd.naming import archive_name, checksum_key
from fakes.destinations import MemoryDestination


@cache
def whole_zip(size: int = 200) -> bytes:
    """Make a ZIP of about that size."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("content", bytes(max(0, size - 120)))
    return stream.getvalue()


def put_nightly(
    destination: MemoryDestination, now: datetime, nights: int, *, set_name: str = "shop"
) -> list[str]:
    """Put an archive and its checksum for each of the last nights; give the keys, newest first."""
    keys = []
    for night in range(nights):
        taken = now - timedelta(days=night, hours=1)
        key = archive_name(set_name, taken, UTC)
        destination.objects[key] = whole_zip()
        destination.objects[checksum_key(key)] = b"checksum"
        keys.append(key)
    return keys
