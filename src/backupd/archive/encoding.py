"""A small member's bytes in the archive: read, hashed, deflated or stored, encrypted, described."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from grp import getgrgid
from pwd import getpwuid
from typing import NamedTuple
from zoneinfo import ZoneInfo

from backupd.archive import deflate
from backupd.archive.lines import LINE_END, line_start, member_line, owner_part
from backupd.archive.reading import Known, Reading
from backupd.archive.records import (
    DEFLATED,
    STORED,
    aes_extra,
    headers,
    heading,
)

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_OPEN_NO_LINK = _OPEN | os.O_NOFOLLOW
_FORMATS = {
    "file": stat.S_IFREG,
    "dump": stat.S_IFREG,
    "directory": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
}


class Encoded(NamedTuple):
    """What became of a batch, in values that `marshal` knows."""

    centrals: bytes
    """Central records with offsets from the start of the batch."""
    starts: list[int]
    """Where in `centrals` each begins."""
    offsets: list[int]
    """Each one's offset, again."""
    lines: bytes
    """Their lines in the manifest."""
    written: list[int]
    """Which of the batch these are."""
    omitted: list[tuple[int, int, str]]
    """Which could not be read: the error's number and text."""
    again: list[int]
    """Which were being written to and should be read again."""
    changed: list[int]
    """Which were being written to and were taken as they were."""
    content_bytes: int


class ChangedError(Exception):
    """A file changed while it was read."""


def file_mode(kind: str, permissions: int) -> int:
    """Return the mode with the type of file, as `stat` has it."""
    return _FORMATS[kind] | permissions


def open_source(origin: str, inode: int, device: int) -> tuple[int, os.stat_result]:
    """Open a regular file; a link is followed only to the very file that the walk saw behind it.

    Raises:
        OSError: it cannot be opened, or is something else by now.
    """
    try:
        descriptor = os.open(origin, _OPEN_NO_LINK)
        followed = False
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        descriptor = os.open(origin, _OPEN)
        followed = True
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or (
        followed and (status.st_ino, status.st_dev) != (inode, device)
    ):
        os.close(descriptor)
        raise OSError(errno.ESTALE, "it was replaced by something else")
    return descriptor, status


def _as_walked(reading: Reading, known: Known) -> bytes | None:
    """Read a file that is, when it has been read, what the walk saw; None if it is not.

    So most files are looked at once, and only the others before and after.
    """
    try:
        descriptor = os.open(reading.origin, _OPEN_NO_LINK)
    except OSError:
        return None
    try:
        data = os.read(descriptor, reading.size)
        now = os.fstat(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    same = known == (  # as `opened` has it; a call more would be felt
        now.st_mtime_ns,
        now.st_mode & 0o7777,
        now.st_size,
        now.st_uid,
        now.st_gid,
        now.st_ctime_ns,
        now.st_ino,
        now.st_dev,
    )
    return data if same and len(data) == now.st_size and stat.S_ISREG(now.st_mode) else None


def _read(reading: Reading, *, last_try: bool) -> tuple[bytes, os.stat_result, bool]:
    """Return a file's content, what it was when it was opened, and whether it changed since.

    Raises:
        ChangedError: it changed, and may be read again.
        OSError: it cannot be read.
    """
    descriptor, status = open_source(reading.origin, reading.inode, reading.device)
    try:
        # No more than was announced: there is no room in the slot for a file that grew.
        data = os.read(descriptor, reading.size)
        while len(data) < reading.size and (more := os.read(descriptor, reading.size - len(data))):
            data += more
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    sizes_and_time = (after.st_size, status.st_size, after.st_mtime_ns)
    changed = sizes_and_time != (len(data), len(data), status.st_mtime_ns)
    if changed and not last_try:
        raise ChangedError
    return data, status, changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """Writes small members; `password` "" means plain."""

    level: str
    zone: ZoneInfo
    password: str = field(default="", repr=False)

    def values(self) -> tuple[str, str, str]:
        """Return what makes an equal one elsewhere, in values that `marshal` knows."""
        return self.level, self.zone.key, self.password

    def encode(
        self, readings: Iterable[Reading], target: memoryview, *, last_try: bool
    ) -> tuple[int, Encoded]:
        """Write a batch's records to `target`; return their length and what became of them."""
        position, content, centrals, lines = 0, 0, bytearray(), list[bytes]()
        starts, offsets = list[int](), list[int]()
        written, again, changed_ones = list[int](), list[int](), list[int]()
        omitted = list[tuple[int, int, str]]()
        for index, reading in enumerate(readings):
            try:
                data, known, changed = _content(reading, last_try=last_try)
            except ChangedError:
                again.append(index)
                continue
            except OSError as error:
                omitted.append((index, error.errno or 0, error.strerror or str(error)))
                continue
            header, body, central = self.record(reading, known, data)
            starts.append(len(centrals))
            offsets.append(position)
            centrals += central
            stored = header + body
            check = deflate.crc32(stored)
            digest = "" if reading.kind == "directory" else hashlib.sha256(data).hexdigest()
            lines.append(manifest_line(reading, known, len(data), digest, check, changed=changed))
            start, position = position, position + len(stored)
            target[start:position] = stored
            written.append(index)
            content += len(data)
            if changed:
                changed_ones.append(index)
        return position, Encoded(
            centrals=bytes(centrals),
            starts=starts,
            offsets=offsets,
            lines=LINE_END.join(lines),
            written=written,
            omitted=omitted,
            again=again,
            changed=changed_ones,
            content_bytes=content,
        )

    def record(self, reading: Reading, known: Known, data: bytes) -> tuple[bytes, bytes, bytes]:
        """Return a member's local header, its content as it is stored, and its central record."""
        body, method = data, STORED
        if data and reading.kind != "symlink" and may_shrink(reading.path):
            body, method = self._shrunk(data)
        crc, aes = deflate.crc32(data), b""
        if self.password and reading.kind != "directory":
            crc, aes, body = self._encrypted(body, method, reading.salt)
        mtime_ns, permissions, _, uid, gid, _, _, _ = known
        mode = _FORMATS[reading.kind] | permissions
        head = heading(reading.path, mode, mtime_ns, (uid, gid), self.zone, method=method, aes=aes)
        header, central = headers(head, crc, len(body), len(data))
        return header, body, central

    def _shrunk(self, data: bytes) -> tuple[bytes, int]:
        if deflate.promises_to_shrink(data):
            deflated = deflate.compress(data, self.level)
            if len(deflated) < len(data):
                return deflated, DEFLATED
        return data, STORED

    def _encrypted(self, body: bytes, method: int, salt: bytes) -> tuple[int, bytes, bytes]:
        """Encrypt as AE-2: the CRC-32 is left out, for it would tell of the content."""
        from backupd.archive.cipher import Encrypter  # noqa: PLC0415  (slow to import)

        encrypter = Encrypter(self.password, salt)
        encrypted = encrypter.update(body)
        return 0, aes_extra(method), b"".join((encrypter.head, encrypted, encrypter.code()))


def may_shrink(path: str) -> bool:
    """Tell from a file's name whether deflating it may be of use."""
    return path[path.rfind(".") :].lower() not in deflate.ALREADY_SMALL


def _content(reading: Reading, *, last_try: bool) -> tuple[bytes, Known, bool]:
    """Read a member; what a file is when it is opened counts, not what the walk saw."""
    known, kind = reading[2:10], reading.kind  # as `Reading.known` has it
    if kind == "file" and (as_walked := _as_walked(reading, known)) is not None:
        return as_walked, known, False
    if kind == "directory":
        return b"", known, False
    if kind == "symlink":
        return os.fsencode(reading.link_target), known, False
    data, status, changed = _read(reading, last_try=last_try)
    return data, known if kind == "dump" else opened(status), changed


def opened(status: os.stat_result) -> Known:
    """Return what a file is now that it is open."""
    return (
        status.st_mtime_ns,
        status.st_mode & 0o7777,
        status.st_size,
        status.st_uid,
        status.st_gid,
        status.st_ctime_ns,
        status.st_ino,
        status.st_dev,
    )


def manifest_line(
    reading: Reading, known: Known, size: int, digest: str, stored_crc32: int, *, changed: bool
) -> bytes:
    """Write a member's line of the manifest."""
    _, _, _, uid, gid, _, _, _ = known
    start = line_start(reading.path, reading.kind, size, known, reading.link_target)
    return member_line(
        start,
        owner(uid, gid),
        sha256=digest,
        changed_while_read=changed,
        stored_crc32=stored_crc32,
    )


@cache
def owner(uid: int, gid: int) -> str:
    """Write whose a member is, as its line has it."""
    return owner_part(_user(uid), _group(gid))


def _user(uid: int) -> str:
    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return ""


def _group(gid: int) -> str:
    try:
        return getgrgid(gid).gr_name
    except KeyError:
        return ""
