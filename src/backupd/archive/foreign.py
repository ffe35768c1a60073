"""Archives that another program made: what their directory says, as manifest entries.

laravel-backup stores names with a leading `/` (its base path cut off), kinds and modes as Unix
has them, times as the writer's clock showed them, and dumps under `db-dumps/`.
"""

import stat
import struct
from datetime import datetime, tzinfo

from backupd.archive.directory import Record, extra_fields
from backupd.model import ManifestEntry, MemberKind

_FILE_MODE = 0o644
_DIRECTORY_MODE = 0o755
_DUMPS = "db-dumps/"
_NTFS_EPOCH_NS = 11_644_473_600 * 1_000_000_000


def entry_of_record(record: Record, zone: tzinfo) -> ManifestEntry:
    """Describe a member as far as the directory knows it; there is no SHA-256 to compare.

    `zone` is that of the writer's clock.
    """
    kind = _kind(record)
    return ManifestEntry(
        path=record.path.lstrip("/").rstrip("/" if kind is MemberKind.DIRECTORY else ""),
        kind=kind,
        size=0 if kind is MemberKind.DIRECTORY else record.size,
        mtime_ns=_mtime_ns(record, zone),
        mode=_mode(record, kind),
        uid=-1,
        gid=-1,
    )


def _kind(record: Record) -> MemberKind:
    if record.name.endswith(b"/"):
        return MemberKind.DIRECTORY
    if stat.S_ISLNK(record.mode):
        return MemberKind.SYMLINK
    return MemberKind.DUMP if record.path.lstrip("/").startswith(_DUMPS) else MemberKind.FILE


def _mode(record: Record, kind: MemberKind) -> int:
    """Take the permission bits; addEmptyDir of PHP gives everybody every right, which is undone."""
    if kind is MemberKind.DIRECTORY:
        return stat.S_IMODE(record.mode) & _DIRECTORY_MODE or _DIRECTORY_MODE
    return stat.S_IMODE(record.mode) & 0o777 or _FILE_MODE


def _mtime_ns(record: Record, zone: tzinfo) -> int:
    """Take the finest time that there is: 100 ns (4.5.5), 1 s (Info-ZIP's "UT"), or 2 s."""
    fields = extra_fields(record.extra)
    ticks = fields.get(0x000A, b"")[8:16]
    if len(ticks) == struct.calcsize("<Q"):
        return int(struct.unpack("<Q", ticks)[0]) * 100 - _NTFS_EPOCH_NS
    seconds = fields.get(0x5455, b"")
    if len(seconds) >= struct.calcsize("<Bl") and seconds[0] & 1:
        return int(struct.unpack_from("<l", seconds, 1)[0]) * 1_000_000_000
    try:
        return int(datetime(*record.dos_time, tzinfo=zone).timestamp()) * 1_000_000_000
    except (ValueError, OverflowError):
        return 0
