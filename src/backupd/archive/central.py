"""A central directory, read back: one record after the other, in little memory.

APPNOTE.TXT 6.3.10: 4.3.12 the records, 4.3.14 to 4.3.16 what ends them, 4.5.3 zip64.
"""

import io
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from backupd.archive.records import (
    CENTRAL,
    CENTRAL_BYTES,
    END,
    END64,
    END64_LOCATOR,
    FAR,
    LOCAL_BYTES,
    MANY,
    without_zip64,
)

_PLACE = struct.Struct("<4s24xHHH8xL")


class Readable(Protocol):
    """Bytes to seek in."""

    def read(self, size: int = -1, /) -> bytes:
        """Read so many bytes, or all."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a position, and return it."""
        ...


class Entry(NamedTuple):
    """A record of a central directory, read back."""

    name: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    offset: int
    record: bytes
    """All of it, as it stands there."""


def parse_central(directory: Readable) -> Iterator[Entry]:
    """Read central records one after the other until something else comes.

    Raises:
        ValueError: a record is cut short or contradicts itself.
    """
    while (fixed := directory.read(CENTRAL_BYTES))[:4] == b"PK\1\2":
        try:
            fields = CENTRAL.unpack(fixed)
            rest = directory.read(sum(fields[10:13]))
            if len(rest) != sum(fields[10:13]):
                raise ValueError("a record of the central directory is cut short")
            extra = rest[fields[10] : fields[10] + fields[11]]
            compressed, size, offset = _far_values(extra, fields[8], fields[9], fields[16])
        except struct.error as error:
            raise ValueError("a record of the central directory is damaged") from error
        name = rest[: fields[10]]
        yield Entry(name, fields[3], fields[4], fields[7], compressed, size, offset, fixed + rest)


def record_places(directory: bytes) -> Iterator[tuple[int, int]]:
    """Give where each record of a central directory begins, and the offset that it holds.

    Raises:
        ValueError: a record is cut short or contradicts itself.
    """
    at = 0
    while at < len(directory) - CENTRAL_BYTES:
        signature, name, extra, comment, offset = _PLACE.unpack_from(directory, at)
        if signature != b"PK\1\2":
            return
        if offset == FAR:
            record = directory[at : at + CENTRAL_BYTES + name + extra + comment]
            offset = next(parse_central(io.BytesIO(record))).offset
        yield at, offset
        at += CENTRAL_BYTES + name + extra + comment


def _far_values(extra: bytes, compressed: int, size: int, offset: int) -> tuple[int, int, int]:
    """Take from the zip64 field what did not fit into 32 bits (APPNOTE 4.5.3)."""
    if FAR not in (compressed, size, offset):
        return compressed, size, offset
    _, far = without_zip64(extra)
    at, values = 0, []
    for value in (size, compressed, offset):
        if value == FAR:
            (value,) = struct.unpack_from("<Q", far, at)  # noqa: PLW2901  (the true one)
            at += 8
        values.append(value)
    size, compressed, offset = values
    return compressed, size, offset


class Extent(NamedTuple):
    """What an archive's end says of its central directory."""

    members: int
    start: int
    length: int


def seek_directory(archive: Readable) -> Extent:
    """Go to the central directory; it ends where the archive's end begins.

    Raises:
        ValueError: this is no ZIP, its end is missing, or something else stands before it.
    """
    size = archive.seek(0, os.SEEK_END)
    tail_start = archive.seek(max(0, size - END.size - MANY - END64_LOCATOR.size))
    tail = archive.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < END.size:
        raise ValueError("it does not end as a ZIP does")
    ending, locator = tail_start + at, at - END64_LOCATOR.size
    _, _, _, _, members, length, start, _ = END.unpack_from(tail, at)
    if locator >= 0 and tail.startswith(b"PK\6\7", locator):
        _, _, ending, _ = END64_LOCATOR.unpack_from(tail, locator)
        archive.seek(ending)
        end64 = archive.read(END64.size)
        if len(end64) < END64.size or not end64.startswith(b"PK\6\6"):
            raise ValueError("its end speaks of another one that is not there")
        _, _, _, _, _, _, _, members, length, start = END64.unpack(end64)
    if start + length != ending:
        raise ValueError("its central directory is not where it should be")
    archive.seek(start)
    return Extent(members, start, length)


def data_start(archive: Readable, entry: Entry) -> int:
    """Return where a member's stored bytes begin.

    Raises:
        ValueError: its local header is not there.
    """
    archive.seek(entry.offset)
    header = archive.read(LOCAL_BYTES)
    if len(header) < LOCAL_BYTES or header[:4] != b"PK\3\4":
        raise ValueError("a member is not where the directory says")
    name, extra = struct.unpack_from("<HH", header, 26)
    return entry.offset + LOCAL_BYTES + int(name) + int(extra)
