"""A last look at a finished encrypted archive: nothing in it may be plain."""

import struct
from pathlib import Path

from backupd.archive.central import parse_central, seek_directory
from backupd.archive.records import ENCRYPTED
from backupd.errors import ArchiveError
from backupd.words import plural


def refuse_plain_members(path: Path, *, allowed: str = "") -> None:
    """Make sure that every member with content is encrypted, by reading the finished archive.

    Only the one named `allowed` may be plain.

    Raises:
        ArchiveError: one is not, or the archive cannot be read; it must not be delivered.
    """
    with path.open("rb") as archive:
        plain, first = 0, b""
        try:
            expected = seek_directory(archive).members
            for entry in parse_central(archive):
                expected -= 1
                if entry.name.endswith(b"/") or entry.name == allowed.encode():
                    continue
                if not entry.flags & ENCRYPTED:
                    plain, first = plain + 1, first or entry.name
            if expected:
                raise ValueError("its central directory is cut short")  # noqa: TRY301
        except (ValueError, struct.error) as error:
            raise ArchiveError(
                f"The archive {path.name} cannot be read back: {error}.",
            ) from error
    if plain:
        raise ArchiveError(
            f"The archive should be encrypted, but {plural(plain, 'member')} came out plain, "
            f"{first.decode(errors='replace')!r} the first; it was not delivered.",
            hint="This is a bug in backupd: please report it.",
        )
