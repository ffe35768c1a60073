"""The bytes of a ZIP around its members' content, as other programs read them.

APPNOTE.TXT 6.3.10: 4.3.7 local header, 4.3.9 data descriptor, 4.3.12 central directory, 4.3.14
to 4.3.16 its ends, 4.4.2 made by Unix (3), 4.4.4 bit 0 encrypted, bit 3 sizes behind the data,
bit 11 UTF-8 name, 4.5.3 zip64, 4.5.5 NTFS times (0x000a, 100 ns since 1601). Info-ZIP's extra
fields: 0x5455 "UT" (mtime in seconds), 0x7875 "ux" (owner). WinZip's: 0x9901 (AES).
Owners stand in local headers only and NTFS times in the central directory only, where Info-ZIP
and 7-Zip look for them.
"""

import os
import stat
import struct
from datetime import datetime, tzinfo
from functools import lru_cache

STORED, DEFLATED = 0, 8
ENCRYPTED, STREAMED, _UTF8_NAME = 0x1, 0x8, 0x800

_LOCAL = struct.Struct("<4sHHHHHLLLHH")
CENTRAL = struct.Struct("<4sHHHHHHLLLHHHHHLL")
_DESCRIPTOR = struct.Struct("<4sLQQ")
END64 = struct.Struct("<4sQHHLLQQQQ")
END64_LOCATOR = struct.Struct("<4sLQL")
END = struct.Struct("<4sHHHHLLH")
_UT = struct.Struct("<HHBl")
_NTFS = struct.Struct("<HHLHHQQQ")
_UX = struct.Struct("<HHBBLBL")

LOCAL_BYTES, CENTRAL_BYTES = _LOCAL.size, CENTRAL.size
OFFSET_AT = 42
"""Where a central record holds its local header's offset."""

_MADE_BY_UNIX = 3 << 8 | 63
_PLAIN_VERSION, _ZIP64_VERSION, _AES_VERSION = 20, 45, 51
METHOD_AES = 99
"""The compression method that headers name; the real one is in the extra field 0x9901."""
SALT_BYTES, _VERIFIER_BYTES, CODE_BYTES = 16, 2, 10
HEAD_BYTES = SALT_BYTES + _VERIFIER_BYTES
"""What stands before an encrypted member's ciphertext; `CODE_BYTES` follow it."""
OVERHEAD_BYTES = HEAD_BYTES + CODE_BYTES
"""What encryption adds to a member."""
_AES_EXTRA = struct.Struct("<HHH2sBH")
FAR = 0xFFFFFFFF
"""What stands in 32 bits whose true value is in the zip64 field."""
MANY = 0xFFFF
_NO_SIZES_YET = struct.pack("<HHQQ", 1, 16, 0, 0)
_NTFS_EPOCH_NS = 11_644_473_600 * 1_000_000_000
_MSDOS_DIRECTORY = 0x10
_TIMES_KEPT = 4096
_FIRST_DOS_TIME, _LAST_DOS_TIME = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)


def aes_extra(method: int) -> bytes:
    """Return the extra field of a member that is compressed by `method` and encrypted (AE-2)."""
    return _AES_EXTRA.pack(0x9901, 7, 2, b"AE", 3, method)


Heading = tuple[bytes, int, int, int, int, bytes, bytes, int]
"""What headers say of a member besides its sizes, which is the same in both: its name, flags,
method, DOS time and date, local and central extra fields, and attributes."""


def heading(
    path: str,
    mode: int,
    mtime_ns: int,
    owner: tuple[int, int],
    zone: tzinfo,
    *,
    method: int,
    aes: bytes = b"",
) -> Heading:
    """Describe a member; `mode` has the file type, `aes` is the extra field if it is encrypted.

    The DOS time is in `zone` and within 1980..2107, as the format can say. A name that is not
    UTF-8 is written as its own bytes.
    """
    is_directory = stat.S_ISDIR(mode)
    name, flags = _name(path + "/" if is_directory else path)
    seconds, ticks = mtime_ns // 1_000_000_000, (mtime_ns + _NTFS_EPOCH_NS) // 100
    # bsdtar takes a time before 1970 in this field for one after 2038.
    times = _UT.pack(0x5455, 5, 1, seconds) if 0 <= seconds < 2**31 else b""
    fine = _NTFS.pack(0x000A, 32, 0, 1, 24, ticks, ticks, ticks) if 0 <= ticks < 2**63 else b""
    dos_time, dos_date = _dos_time(seconds, zone)
    return (
        name,
        flags | ENCRYPTED if aes else flags,
        METHOD_AES if aes else method,
        dos_time,
        dos_date,
        times + _owner(*owner) + aes,
        times + fine + aes,
        mode << 16 | (_MSDOS_DIRECTORY if is_directory else 0),
    )


@lru_cache
def _owner(uid: int, gid: int) -> bytes:
    return _UX.pack(0x7875, 11, 1, 4, uid & FAR, 4, gid & FAR)


def _name(path: str) -> tuple[bytes, int]:
    if path.isascii():
        return path.encode(), 0
    try:
        return path.encode(), _UTF8_NAME
    except UnicodeEncodeError:
        return os.fsencode(path), 0


@lru_cache(_TIMES_KEPT)
def _dos_time(seconds: int, zone: tzinfo) -> tuple[int, int]:
    try:
        local = datetime.fromtimestamp(seconds, zone)
        stamp = (local.year, local.month, local.day, local.hour, local.minute, local.second)
        stamp = min(max(stamp, _FIRST_DOS_TIME), _LAST_DOS_TIME)
    except (OverflowError, ValueError, OSError):
        stamp = _LAST_DOS_TIME if seconds > 0 else _FIRST_DOS_TIME
    year, month, day, hour, minute, second = stamp
    return hour << 11 | minute << 5 | second // 2, year - 1980 << 9 | month << 5 | day


def headers(head: Heading, crc: int, compressed: int, size: int) -> tuple[bytes, bytes]:
    """Write the local header and the central record of a member that is known to be under 4 GiB."""
    name, flags, method, time, date, local, central, attributes = head
    version = _AES_VERSION if method == METHOD_AES else _PLAIN_VERSION
    common = (version, flags, method, time, date, crc, compressed, size, len(name))
    return (
        _LOCAL.pack(b"PK\3\4", *common, len(local)) + name + local,
        CENTRAL.pack(b"PK\1\2", _MADE_BY_UNIX, *common, len(central), 0, 0, 0, attributes, 0)
        + name
        + central,
    )


def streamed_header(head: Heading) -> bytes:
    """Write the header of a member whose sizes follow in a descriptor, as 64-bit numbers."""
    name, flags, method, time, date, extra, _, _ = head
    version = _AES_VERSION if method == METHOD_AES else _ZIP64_VERSION
    extra = _NO_SIZES_YET + extra
    fixed = (b"PK\3\4", version, flags | STREAMED, method, time, date, 0, FAR, FAR)
    return _LOCAL.pack(*fixed, len(name), len(extra)) + name + extra


def descriptor(crc: int, compressed: int, size: int) -> bytes:
    """Write what follows the data of a member with a `streamed_header`."""
    return _DESCRIPTOR.pack(b"PK\7\x08", crc, compressed, size)


def central_record(
    head: Heading, crc: int, compressed: int, size: int, *, streamed: bool = False
) -> bytes:
    """Write a member's record for the central directory, with offset 0 (see `placed`)."""
    name, flags, method, time, date, _, extra, attributes = head
    version = _AES_VERSION if method == METHOD_AES else _PLAIN_VERSION
    if compressed >= FAR or size >= FAR:
        far = b"".join(struct.pack("<Q", value) for value in (size, compressed) if value >= FAR)
        extra += struct.pack("<HH", 1, len(far)) + far
        version = max(version, _ZIP64_VERSION)
        compressed, size = min(compressed, FAR), min(size, FAR)
    flags |= STREAMED if streamed else 0
    fixed = (b"PK\1\2", _MADE_BY_UNIX, version, flags, method, time, date, crc, compressed, size)
    return CENTRAL.pack(*fixed, len(name), len(extra), 0, 0, 0, attributes, 0) + name + extra


def placed(record: bytes, offset: int) -> bytes:
    """Return a central record whose local header stands at `offset`, wherever it stood before."""
    name, extra = struct.unpack_from("<HH", record, 28)
    (before,) = struct.unpack_from("<L", record, OFFSET_AT)
    moved = bytearray(record)
    struct.pack_into("<L", moved, OFFSET_AT, min(offset, FAR))
    if before < FAR and offset < FAR:
        return bytes(moved)
    fields = record[CENTRAL_BYTES + name : CENTRAL_BYTES + name + extra]
    others, far = without_zip64(fields)
    if before == FAR:
        far = far[:-8]  # the offset comes last
    if offset >= FAR:
        far += struct.pack("<Q", offset)
        struct.pack_into("<H", moved, 6, max(_ZIP64_VERSION, moved[6]))
    others += struct.pack("<HH", 1, len(far)) + far if far else b""
    struct.pack_into("<H", moved, 30, len(others))
    return bytes(moved[: CENTRAL_BYTES + name]) + others + record[CENTRAL_BYTES + name + extra :]


def without_zip64(fields: bytes) -> tuple[bytes, bytes]:
    """Split extra fields into all others and the zip64 field's values."""
    others, far, at = b"", b"", 0
    while at + 4 <= len(fields):
        kind, length = struct.unpack_from("<HH", fields, at)
        end = at + 4 + length
        if kind == 1:
            far = fields[at + 4 : end]
        else:
            others += fields[at:end]
        at = end
    return others, far


def end_of_directory(members: int, start: int, length: int) -> bytes:
    """Write what ends a ZIP whose central directory is `length` bytes at `start`."""
    ending = b""
    if members >= MANY or start >= FAR or length >= FAR:
        versions = (_MADE_BY_UNIX, _ZIP64_VERSION)
        ending += END64.pack(
            b"PK\6\6", END64.size - 12, *versions, 0, 0, members, members, length, start
        )
        ending += END64_LOCATOR.pack(b"PK\6\7", 0, start + length, 1)
    count = min(members, MANY)
    return ending + END.pack(b"PK\5\6", 0, 0, count, count, min(length, FAR), min(start, FAR), 0)
