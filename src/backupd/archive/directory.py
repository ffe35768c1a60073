"""A ZIP's central directory, read by `zipfile` and believed only as far as it can be true.

APPNOTE.TXT 6.3.10: 4.3.12 (directory), 4.3.7 (local header), 4.4; the AES extra field 0x9901 is
WinZip's.
"""

import io
import struct
import zipfile
from dataclasses import dataclass

from backupd.archive.cipher import METHOD_AES, OVERHEAD_BYTES
from backupd.archive.view import SeekableView, View
from backupd.errors import DamagedError

STORED, DEFLATED = 0, 8
LOCAL_HEADER_BYTES = 30
_ENCRYPTED = 0x1
_UTF8_NAME = 0x800
_AES_256 = 3
_HIGHEST_RATIO = 1032
"""Deflate cannot do better: 258 bytes from a match of two bits (zlib's technical notes)."""
_MADE_BY_UNIX = 3
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
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
    dos_time: tuple[int, int, int, int, int, int]
    """As the clock of whoever wrote the archive showed it, to 2 seconds."""

    @property
    def path(self) -> str:
        """The name as the file system has it (PEP 383)."""
        return self.name.decode("utf-8", "surrogateescape")


def read_directory(view: View) -> tuple[Record, ...]:
    """Read all records, in the order of their place in the archive.

    Raises:
        DamagedError: it is no ZIP, is cut short, has a name twice, members that share bytes or
            lie outside it, or one that cannot be as large as it says.
        DestinationError: as the destination says.
    """
    try:
        with SeekableView(view) as file, zipfile.ZipFile(file) as archive:
            infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
            start = archive.start_dir
            _refuse_shifted(file, len(archive.comment), len(infos), start)
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        ValueError,
        OverflowError,
        OSError,
        struct.error,
    ) as error:
        raise DamagedError(f"This is no ZIP archive, or it is cut short ({error}).") from error
    ends = [info.header_offset for info in infos[1:]] + [start]
    records = tuple(_record(info, end) for info, end in zip(infos, ends, strict=True))
    names = set()
    for record in records:
        _refuse_lies(record)
        if record.name in names:
            raise DamagedError(f"The archive has two members named {record.path!r}.")
        names.add(record.name)
    return records


def _refuse_shifted(file: SeekableView, comment: int, count: int, start: int) -> None:
    """Make sure that the directory is the one that the archive's end speaks of.

    `zipfile` forgives an end that names fewer members than there are (4.3.16, and 4.3.14 and
    4.3.15 for archives beyond 4 GiB or 65,535 members).
    """
    file.seek(-_END.size - comment, io.SEEK_END)
    place = file.tell()
    _, _, _, _, named, _, offset, _ = _END.unpack(file.read(_END.size))
    file.seek(max(0, place - _LOCATOR.size))
    locator = file.read(_LOCATOR.size)
    if locator.startswith(b"PK\x06\x07"):
        file.seek(_LOCATOR.unpack(locator)[2])
        _, _, _, _, _, _, _, named, _, offset = _END_64.unpack(file.read(_END_64.size))
    if (named, offset) != (count, start):
        raise DamagedError(
            f"The archive's end speaks of {named} members at byte {offset}; "
            f"there are {count} at {start}."
        )


def _refuse_lies(record: Record) -> None:
    least = record.offset + LOCAL_HEADER_BYTES + len(record.name) + record.compressed_size
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


def _record(info: zipfile.ZipInfo, end: int) -> Record:
    encoding = "utf-8" if info.flag_bits & _UTF8_NAME else "cp437"
    name = info.orig_filename.encode(encoding)
    encrypted = bool(info.flag_bits & _ENCRYPTED)
    method, version = info.compress_type, 0
    if encrypted:
        method, version = _aes(extra_fields(info.extra).get(0x9901, b""), name)
    if method not in {STORED, DEFLATED}:
        raise DamagedError(
            f"The member {name!r} is compressed by method {method}, which is not ours.",
            hint="7-Zip reads every method: 7z x ARCHIVE",
        )
    return Record(
        name=name,
        offset=info.header_offset,
        end=end,
        size=info.file_size,
        compressed_size=info.compress_size,
        crc=info.CRC,
        method=method,
        encrypted=encrypted,
        has_crc=version != 2,  # noqa: PLR2004  (AE-2)
        mode=info.external_attr >> 16 if info.create_system == _MADE_BY_UNIX else 0,
        extra=info.extra,
        dos_time=info.date_time,
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
