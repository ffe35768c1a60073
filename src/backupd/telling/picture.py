"""The small picture in mails, a PNG: sizes of the last backups above, days covered below."""

import struct
import zlib
from collections.abc import Sequence
from enum import Enum

COLUMNS = 30
_CELL = 36
_GAP = 8
_BARS = 150
_SPACE = 16
_STRIP = 20
WIDTH = COLUMNS * _CELL - _GAP
HEIGHT = _BARS + _SPACE + _STRIP
"""Pixels; shown at half the size, so that it is sharp on a phone."""


class Shade(Enum):
    """How a run or a day came out, and its colour, which can be read on white and on black."""

    GOOD = (47, 143, 91, 255)
    PARTIAL = (212, 153, 26, 255)
    BAD = (207, 60, 60, 255)
    NONE = (128, 134, 142, 90)


def draw(runs: Sequence[tuple[int, Shade]], days: Sequence[Shade]) -> bytes:
    """Draw up to 30 runs (bytes and how each came out) and 30 days, the newest on the right.

    A run without bytes is a low mark on the base line. The background is transparent.
    """
    runs, days = runs[-COLUMNS:], days[-COLUMNS:]
    largest = max([size for size, _ in runs] + [1])
    rows = [bytearray(4 * WIDTH) for _ in range(HEIGHT)]
    for column, (size, shade) in enumerate(runs, COLUMNS - len(runs)):
        height = max(round(_BARS * size / largest), 6)
        _fill(rows, column, _BARS - height, height, shade)
    for column, shade in enumerate(days, COLUMNS - len(days)):
        _fill(rows, column, _BARS + _SPACE, _STRIP, shade)
    return _png(rows)


def _fill(rows: Sequence[bytearray], column: int, top: int, height: int, shade: Shade) -> None:
    left, colour = 4 * column * _CELL, bytes(shade.value) * (_CELL - _GAP)
    for row in rows[top : top + height]:
        row[left : left + len(colour)] = colour


def _png(rows: Sequence[bytearray]) -> bytes:
    """Write 8-bit RGBA (PNG, third edition, sections 5 and 11), each row unfiltered."""
    raw = b"".join(b"\0" + row for row in rows)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
