"""Deflate (RFC 1951) by libraries made for speed: ISA-L for `fast`, zlib-ng for the rest.

Both let other threads run and both come as wheels; zlib-ng stands in where ISA-L is not made for
the machine. At `fast`, what is tiny gets Huffman codes that are made before.

A large member is deflated in chunks, each by itself: a chunk ends on a byte boundary with no last
block, so chunks can be put one behind the other, and `LAST_BLOCK` ends the stream. A chunk that
does not shrink becomes stored blocks of the same stream.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Final, Protocol

from zlib_ng import zlib_ng

_isal_zlib: ModuleType | None
try:
    from isal import isal_zlib
except ImportError:  # neither x86-64 nor ARM64
    _isal_zlib = None
else:
    _isal_zlib = isal_zlib

Buffer = bytes | bytearray | memoryview

LAST_BLOCK: Final = b"\x03\x00"
"""An empty last block."""

_RAW = -15
_ZLIB_NG_LEVELS: Final = {"fast": 2, "balanced": 6, "small": 9}
_ISAL_LEVEL: Final = 2
_TINY: Final = 2048
_FIRST_BYTES: Final = 4
_MOST_IN_STORED_BLOCK: Final = 65_535
_SAMPLE: Final = 4 * 1024
_SAMPLES: Final = 4
_SAMPLE_SHRINKS_TO: Final = 0.97

# fmt: off
ALREADY_SMALL: Final = frozenset({
    ".7z", ".aac", ".apk", ".avi", ".avif", ".br", ".bz2", ".deb", ".docx", ".epub", ".flac",
    ".gif", ".gz", ".heic", ".jar", ".jpeg", ".jpg", ".jxl", ".lz4", ".lzma", ".m4a", ".m4v",
    ".mkv", ".mov", ".mp3", ".mp4", ".mpeg", ".mpg", ".odp", ".ods", ".odt", ".ogg", ".opus",
    ".png", ".pptx", ".rar", ".rpm", ".tgz", ".txz", ".webm", ".webp", ".whl", ".woff",
    ".woff2", ".xlsx", ".xz", ".zip", ".zst",
})
# fmt: on
"""Endings of files that are compressed already."""


crc32: Callable[..., int] = (_isal_zlib or zlib_ng).crc32
"""Returns the CRC-32 of some bytes; of what had `value` followed by them, if that is given."""

crc32_combine: Callable[[int, int, int], int] = (_isal_zlib or zlib_ng).crc32_combine
"""Returns the CRC-32 of two things in a row, of theirs and the second's length."""


def compress(data: Buffer, level: str) -> bytes:
    """Deflate the whole of a small member into one finished stream."""
    if level == "fast" and _isal_zlib:
        if len(data) < _TINY:
            # With Huffman codes that are made before: to make some for these bytes takes more
            # time than all else that is done for a file, and saves but a few hundred bytes.
            return isal_zlib.compress(data, 0, _RAW)
        return b"".join(_quickly(data, isal_zlib.Z_FINISH))
    return zlib_ng.compress(data, _ZLIB_NG_LEVELS[level], _RAW)


def compress_chunk(data: Buffer, level: str) -> list[Buffer]:
    """Deflate a chunk so that another, or `LAST_BLOCK`, can stand right behind it.

    What comes of it is in pieces, as from `store_chunk`: to join them would take time.
    """
    if level == "fast" and _isal_zlib:
        return _quickly(data, isal_zlib.Z_SYNC_FLUSH)
    thorough = zlib_ng.compressobj(_ZLIB_NG_LEVELS[level], zlib_ng.DEFLATED, _RAW, 9)
    return [thorough.compress(data), thorough.flush(zlib_ng.Z_SYNC_FLUSH)]


def _quickly(data: Buffer, end: int) -> list[Buffer]:
    """Deflate with ISA-L, the first bytes as a block by themselves: so it is always the same.

    Where content begins, its level 2 (`write_first_byte` in igzip_icf_body_h1_gr_bt.asm, 2.32)
    hashes a register that still holds the stream's address, so that one start in some ten thousand
    is found again or not according to where the memory lay. Such a short block goes another way.
    """
    view, stream = memoryview(data), isal_zlib.compressobj(_ISAL_LEVEL, isal_zlib.DEFLATED, _RAW)
    first = stream.compress(view[:_FIRST_BYTES]), stream.flush(isal_zlib.Z_SYNC_FLUSH)
    return [*first, stream.compress(view[_FIRST_BYTES:]), stream.flush(end)]


def store_chunk(data: Buffer) -> list[Buffer]:
    """Put a chunk into stored blocks (RFC 1951, 3.2.4), for one that starts on a byte boundary."""
    view, pieces = memoryview(data), list[Buffer]()
    for start in range(0, len(view), _MOST_IN_STORED_BLOCK):
        block = view[start : start + _MOST_IN_STORED_BLOCK]
        length = len(block)
        pieces += [b"\0", length.to_bytes(2, "little"), (length ^ 0xFFFF).to_bytes(2, "little")]
        pieces.append(block)
    return pieces


class Inflater(Protocol):
    """Inflates one stream, piece by piece."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        ...

    def decompress(self, data: bytes) -> bytes:
        """Inflate the next piece."""
        ...


InflateError: type[Exception] = zlib_ng.error  # type: ignore[assignment]  # no instance


def inflater() -> Inflater:
    """Return what inflates a raw stream; it raises InflateError where that makes no sense."""
    made: Inflater = zlib_ng.decompressobj(_RAW)
    return made


def promises_to_shrink(data: Buffer) -> bool:
    """Deflate four samples; what is shorter than twice their length is not worth the question."""
    if len(data) < 2 * _SAMPLES * _SAMPLE:
        return True
    view, step = memoryview(data), len(data) // _SAMPLES
    places = range(step // 2, len(data), step)
    sample = b"".join(view[place : place + _SAMPLE] for place in places)
    return len(compress(sample, "fast")) < _SAMPLE_SHRINKS_TO * len(sample)
