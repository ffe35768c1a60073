"""What stands at an archive's end: its central directory and the manifest's lines.

Both wait in files without a name beside the archive, so that memory does not grow with members.
Lines are deflated as soon as they fill a chunk, so that the end does not have to wait for it.
"""

import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from backupd.archive.deflate import crc32
from backupd.archive.lines import LINE_END
from backupd.archive.output import Output
from backupd.archive.records import FAR, OFFSET_AT, end_of_directory, placed
from backupd.archive.slots import CHUNK, Message, Slot, lay
from backupd.archive.workers import Request, Step

_BLOCK = 1 << 20
_OFFSET = struct.Struct("<L")


class Ledger:
    """Notes members in the order of the archive; every central record gets its true offset."""

    def __init__(self, folder: Path) -> None:
        self._files = ExitStack()
        directory, lines = tempfile.TemporaryFile(dir=folder), tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (closed with the ledger)
        self._directory = self._files.enter_context(directory)
        self._lines = self._files.enter_context(lines)
        self._records = 0
        self._no_chunk_yet = bytearray()
        self.directory_crc32 = 0
        """Of all records that are noted, as they will stand there."""
        self.lines_bytes = 0
        """How long the lines are of which chunks were made, before they are deflated."""
        self.lines_crc32 = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()

    def note_lines(self, lines: bytes) -> None:
        """Note members for the manifest, with commas between them if there are several."""
        if self._no_chunk_yet or self.lines_bytes:
            self._no_chunk_yet += LINE_END
        self._no_chunk_yet += lines

    def among(self, steps: Iterable[Step]) -> Iterator[Step]:
        """Give steps, and between them those that deflate the lines that they have noted."""
        for step in steps:
            yield step
            yield from self.line_steps()

    def line_steps(self, *, rest: bool = False) -> Iterator[Request]:
        """Have lines deflated that fill a chunk; or, when all are there, the rest, too."""
        while len(self._no_chunk_yet) >= CHUNK or (rest and self._no_chunk_yet):
            yield Request(ask=self._ask_lines, take=self._take_lines)

    def _ask_lines(self, slot: Slot) -> Message:
        chunk = self._no_chunk_yet[:CHUNK]
        del self._no_chunk_yet[:CHUNK]
        length = lay([chunk], slot.plain)
        self.lines_crc32 = crc32(chunk, self.lines_crc32)
        self.lines_bytes += length
        return "chunk", length, True

    def _take_lines(self, _: Slot, encoded: memoryview, _answer: Message) -> None:
        self._lines.write(encoded)

    def note_record(self, record: bytes, offset: int) -> None:
        """Note a member for the central directory, whose record says offset 0."""
        self._note(placed(record, offset))
        self._records += 1

    def _note(self, records: bytes | bytearray) -> None:
        self.directory_crc32 = crc32(records, self.directory_crc32)
        self._directory.write(records)

    def note_records(
        self, base: int, centrals: bytes, starts: Sequence[int], offsets: Sequence[int]
    ) -> None:
        """Note members whose records, which begin at `starts`, have offsets from `base`.

        None of them stood beyond 4 GiB before.
        """
        if base + offsets[-1] < FAR:
            moved = bytearray(centrals)
            for start, offset in zip(starts, offsets, strict=True):
                _OFFSET.pack_into(moved, start + OFFSET_AT, base + offset)
            self._note(moved)
            self._records += len(starts)
            return
        ends = [*starts[1:], len(centrals)]
        for start, end, offset in zip(starts, ends, offsets, strict=True):
            self.note_record(centrals[start:end], base + offset)

    def deflated_lines(self) -> Iterator[bytes]:
        """Give the manifest's lines as they are deflated, with commas between them, in blocks."""
        self._lines.seek(0)
        while block := self._lines.read(_BLOCK):
            yield block

    def write_directory(self, output: Output) -> None:
        """Write the central directory, which ends the archive."""
        start, length = output.position, self._directory.tell()
        self._directory.seek(0)
        while block := self._directory.read(_BLOCK):
            output.write(block)
        output.write(end_of_directory(self._records, start, length))
