"""A member's ZIP header: name, kind, mode, owner and times as other programs read them.

APPNOTE.TXT 6.3.10: 4.4.2 made by Unix (3), 4.4.4 bit 11 for UTF-8 names, 4.5.5 NTFS times
(0x000a, 100 ns since 1601); Info-ZIP's extra fields: 0x5455 "UT", 0x7875 "ux".
"""

import stat
import struct
from datetime import datetime, tzinfo
from typing import Any

import pyzipper
from pyzipper.zipfile_aes import AESZipInfo

from backupd.model import Member, MemberKind

_UTF8_NAME = 0x800
_NTFS_EPOCH_NS = 11_644_473_600 * 1_000_000_000
_FORMATS = {
    MemberKind.FILE: stat.S_IFREG,
    MemberKind.DUMP: stat.S_IFREG,
    MemberKind.DIRECTORY: stat.S_IFDIR,
    MemberKind.SYMLINK: stat.S_IFLNK,
}
_MSDOS_DIRECTORY = 0x10


class NamedInfo(AESZipInfo):  # type: ignore[misc]  # pyzipper publishes no types
    """A header whose name may be bytes that are no UTF-8: they are written as they are."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802  (pyzipper's name)
        try:
            return self.filename.encode("ascii"), self.flag_bits
        except UnicodeEncodeError:
            pass
        try:
            return self.filename.encode(), self.flag_bits | _UTF8_NAME
        except UnicodeEncodeError:
            return self.filename.encode(errors="surrogateescape"), self.flag_bits

    # pyzipper writes no extra fields but its own.

    def encode_local_header(self, *, extra: bytes, **rest: Any) -> bytes:  # noqa: ANN401, D102
        header: bytes = super().encode_local_header(extra=extra + self.extra, **rest)
        return header

    def encode_central_directory(self, *, extra_data: bytes, **rest: Any) -> tuple[bytes, ...]:  # noqa: ANN401, D102
        parts: tuple[bytes, ...] = super().encode_central_directory(
            extra_data=extra_data + self.extra, **rest
        )
        return parts


def zip_info(member: Member, zone: tzinfo) -> AESZipInfo:
    """Describe a member; its DOS time is in `zone` and within 1980..2107, as the format can say."""
    name = member.path + ("/" if member.kind is MemberKind.DIRECTORY else "")
    info = NamedInfo(name, date_time=_dos_time(member.mtime_ns, zone))
    info.create_system = 3
    info.external_attr = (_FORMATS[member.kind] | member.mode) << 16
    if member.kind is MemberKind.DIRECTORY:
        info.external_attr |= _MSDOS_DIRECTORY
    has_content = member.kind in {MemberKind.FILE, MemberKind.DUMP}
    info.compress_type = pyzipper.ZIP_DEFLATED if has_content else pyzipper.ZIP_STORED
    info.extra = _times(member.mtime_ns) + _owner(member.uid, member.gid)
    info.file_size = member.size or 0
    return info


def _dos_time(mtime_ns: int, zone: tzinfo) -> tuple[int, int, int, int, int, int]:
    first, last = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)
    try:
        local = datetime.fromtimestamp(mtime_ns // 1_000_000_000, zone)
    except (OverflowError, ValueError, OSError):
        return last if mtime_ns > 0 else first
    stamp = (local.year, local.month, local.day, local.hour, local.minute, local.second)
    return min(max(stamp, first), last)


def _times(mtime_ns: int) -> bytes:
    extra = b""
    seconds = mtime_ns // 1_000_000_000
    if 0 <= seconds < 2**31:  # bsdtar takes an earlier time for one after 2038
        extra += struct.pack("<HHBl", 0x5455, 5, 1, seconds)
    ticks = (mtime_ns + _NTFS_EPOCH_NS) // 100
    if 0 <= ticks < 2**63:
        extra += struct.pack("<HHLHHQQQ", 0x000A, 32, 0, 1, 24, ticks, ticks, ticks)
    return extra


def _owner(uid: int, gid: int) -> bytes:
    return struct.pack("<HHBBLBL", 0x7875, 11, 1, 4, uid & 0xFFFFFFFF, 4, gid & 0xFFFFFFFF)
