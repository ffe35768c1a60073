"""A ZIP's central directory, believed only as far as it can be true.

APPNOTE.TXT 6.3.10: 4.3.12 (directory), 4.3.7 (local header), 4.4; the AES extra field 0x9901 is
WinZip's.
"""

import io
import struct
from collections.abc import Sequence
from typing import NamedTuple

from backupd.archive.central import Entry, parse_central, seek_directory
from backupd.archive.records import (
    CENTRAL_BYTES,
    DEFLATED,
    ENCRYPTED,
    LOCAL_BYTES,
    METHOD_AES,
    OVERHEAD_BYTES,
    STORED,
)
from backupd.archive.restore_text import RESTORE_PATHS, SEALED_PATH
from backupd.archive.view import SeekableView, View
from backupd.errors import DamagedError

_AES_256 = 3
_HIGHEST_RATIO = 1032
"""Deflate cannot do better: 258 bytes from a match of two bits (zlib's technical notes)."""
_MADE_BY_UNIX = 3
_OTHERS = struct.Struct("<4xH6xHH12xHHHHHL")
"""What `Entry` leaves in its record: who made it, time and date, lengths, attributes."""


class Record(NamedTuple):
    """One member as the directory says it is; nothing of its content has been looked at."""

    name: bytes
    """As it stands in the archive; a directory's ends with `/`."""
    offset: int
    """Of its local header."""
    end: int
    """Where the next record starts, or the directory."""
    size: int
    compressed_size: int
    """With what encryption adds."""
    crc: int
    method: int
    encrypted: bool
    has_crc: bool
    """False where an authentication code stands in for it (AE-2)."""
    mode: int
    """Kind and permission bits as Unix has them; 0 if the archive does not say."""
    extra: bytes
    """Times, owners and more, as fields that each say their kind and length."""
    dos: tuple[int, int]
    """Date and time as the archive has them (4.4.6)."""

    @property
    def path(self) -> str:
        """The name as the file system has it (PEP 383)."""
        return self.name.decode("utf-8", "surrogateescape")

    @property
    def dos_time(self) -> tuple[int, int, int, int, int, int]:
        """As the clock of whoever wrote the archive showed it, to 2 seconds."""
        date, time = self.dos
        day = (date >> 9) + 1980, date >> 5 & 0xF, date & 0x1F
        return *day, time >> 11, time >> 5 & 0x3F, (time & 0x1F) * 2


def read_directory(view: View) -> tuple[Record, ...]:
    """Read all records, in the order of their place in the archive.

    Raises:
        DamagedError: it is no ZIP, is cut short, has a name twice, members that share bytes or
            lie outside it, or one that cannot be as large as it says.
        DestinationError: as the destination says.
    """
    try:
        with SeekableView(view) as file:
            entries, start = _entries(file)
    except (ValueError, OverflowError, OSError) as error:
        raise DamagedError(f"This is no ZIP archive, or it is cut short: {error}.") from error
    ends = [*(entry.offset for entry in entries[1:]), start]
    records = tuple(_record(entry, end) for entry, end in zip(entries, ends, strict=True))
    names = set()
    for record in records:
        _refuse_lies(record)
        if record.name in names:
            raise DamagedError(f"The archive has two members named {record.path!r}.")
        names.add(record.name)
    return records


def sealed_record(records: Sequence[Record]) -> Record | None:
    """Find the member that hides the others; None if this is an archive of another kind."""
    named = {record.path: record for record in records}
    sealed = named.get(SEALED_PATH)
    if sealed is None or not set(named) <= {SEALED_PATH, *RESTORE_PATHS}:
        return None
    return sealed if sealed.encrypted and sealed.method == STORED else None


def _entries(file: SeekableView) -> tuple[list[Entry], int]:
    """Return the entries by their place, and where the directory starts."""
    members, start, length = seek_directory(file)
    entries = list(parse_central(io.BytesIO(file.read(length))))
    found = sum(len(entry.record) for entry in entries)
    if (len(entries), found) != (members, length):
        raise ValueError(
            f"its end speaks of {members} members in {length} bytes, "
            f"and there are {len(entries)} in {found}"
        )
    return sorted(entries, key=lambda entry: entry.offset), start


def _refuse_lies(record: Record) -> None:
    least = record.offset + LOCAL_BYTES + len(record.name) + record.compressed_size
    if record.offset < 0 or least > record.end:
        raise DamagedError(
            f"The member {record.path!r} reaches into the next one, or out of the archive."
        )
    content = record.compressed_size - (OVERHEAD_BYTES if record.encrypted else 0)
    most = content if record.method == STORED else content * _HIGHEST_RATIO
    if content < 0 or record.size > most or (record.method == STORED and record.size != content):
        raise DamagedError(
            f"The member {record.path!r} cannot hold {record.size} bytes "
            f"in {record.compressed_size}."
        )


def _record(entry: Entry, end: int) -> Record:
    name, flags, method, crc, compressed, size, offset, whole = entry
    made_by, time, date, name_length, extra_length, _, _, _, attributes = _OTHERS.unpack_from(whole)
    extra = whole[CENTRAL_BYTES + name_length :][:extra_length]
    encrypted, version = bool(flags & ENCRYPTED), 0
    if encrypted:
        method, version = _aes(extra_fields(extra).get(0x9901, b""), name)
    if method not in {STORED, DEFLATED}:
        raise DamagedError(
            f"The member {name!r} is compressed by method {method}, which is not ours.",
            hint="7-Zip reads every method: 7z x ARCHIVE",
        )
    has_crc = version != 2  # noqa: PLR2004  (AE-2)
    mode = attributes >> 16 if made_by >> 8 == _MADE_BY_UNIX else 0
    return Record(
        name,
        offset,
        end,
        size,
        compressed,
        crc,
        method,
        encrypted,
        has_crc,
        mode,
        extra,
        (date, time),
    )


def _aes(field: bytes, name: bytes) -> tuple[int, int]:
    """Return the compression method below the encryption, and the version (AE-1 or AE-2)."""
    if len(field) != struct.calcsize("<H2sBH"):
        raise DamagedError(
            f"The member {name!r} is not encrypted by AES.",
            hint="unzip reads the older encryption of ZIP: unzip ARCHIVE",
        )
    version, _, strength, method = struct.unpack("<H2sBH", field)
    if strength != _AES_256 or method == METHOD_AES:
        raise DamagedError(
            f"The member {name!r} is encrypted by AES, but not with 256 bits.",
            hint="7-Zip reads every strength: 7z x ARCHIVE",
        )
    return method, version


def extra_fields(extra: bytes) -> dict[int, bytes]:
    """Take apart what a record says beyond the fixed fields (4.5)."""
    fields, position = {}, 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        fields[kind] = extra[position + 4 : position + 4 + length]
        position += 4 + length
    return fields
