"""A member in chunks: one that is large, or a stream whose length nobody knows.

It is read once, here, and every chunk is hashed as it is read; workers deflate the chunks. So
what the manifest says is true of the bytes in the archive even if the file is being written to.
Sizes stand behind the data (APPNOTE 4.3.9), for the header is written before they are known.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import partial

from backupd.archive.cipher import Encrypter
from backupd.archive.deflate import LAST_BLOCK, crc32, crc32_combine
from backupd.archive.encoding import (
    Encoder,
    file_mode,
    may_shrink,
    open_source,
    opened,
)
from backupd.archive.ledger import Ledger
from backupd.archive.output import Buffer, Output
from backupd.archive.reading import Reading
from backupd.archive.records import (
    DEFLATED,
    aes_extra,
    central_record,
    descriptor,
    heading,
    streamed_header,
)
from backupd.archive.slots import CHUNK, Message, Slot, lay
from backupd.archive.workers import Request, Step
from backupd.errors import DumpError
from backupd.model import Member
from backupd.ports import Progress


class ChunkedMember:
    """One member on its way into the archive; read its fields when its last step is done."""

    def __init__(
        self, reading: Reading, output: Output, encoder: Encoder, on_progress: Progress
    ) -> None:
        self.reading = reading
        self.known = reading.known
        """What it is; for a file, what it was when it was opened."""
        self.failure: OSError | DumpError | None = None
        """Why it could not be read; then nothing of it is in the archive."""
        self.changed = False
        """Whether the file was written to meanwhile."""
        self.size = 0
        self.central = b""
        """Its central record, with offset 0."""
        self.offset = 0
        self.stored_crc32 = 0
        self._output, self._on_progress = output, on_progress
        self._encrypter = Encrypter(encoder.password, reading.salt) if encoder.password else None
        self._zone = encoder.zone
        self._may_shrink = may_shrink(reading.path)
        self._sha256 = hashlib.sha256()
        self._crc = 0
        self._compressed = 0

    @property
    def sha256(self) -> str:
        """The digest of what was read, in hexadecimal."""
        return self._sha256.hexdigest()

    def file_steps(self) -> Iterator[Step]:
        """Read the file at `origin`; nothing stays of it if it cannot be read to its end."""
        try:
            descriptor, status = open_source(
                self.reading.origin, self.reading.inode, self.reading.device
            )
        except OSError as error:
            self.failure = error
            return
        try:
            if self.reading.kind != "dump":
                self.known = opened(status)
            yield self._begin
            for start in range(0, status.st_size, CHUNK):
                length = min(CHUNK, status.st_size - start)
                yield Request(ask=partial(self._ask_file, descriptor, length), take=self._take)
                if self.failure or self.size < start + length:
                    break
            after = os.fstat(descriptor)
            same = (self.size, status.st_size, status.st_mtime_ns)
            self.changed = same != (after.st_size, after.st_size, after.st_mtime_ns)
            yield self._end
        finally:
            os.close(descriptor)

    def stream_steps(self, stream: Iterator[bytes]) -> Iterator[Step]:
        """Read a stream to its end; what it raises passes through."""
        yield self._begin
        yield from self._stream(stream)
        yield self._end

    def around_steps(self, start: bytes, ledger: Ledger, end: bytes) -> Iterator[Step]:
        """Take the lines in the ledger, all of which are deflated already, and what is around.

        They are not hashed: the manifest does not name itself.
        """
        yield self._begin
        yield from self._stream(iter([start]))
        self._crc = crc32_combine(self._crc, ledger.lines_crc32, ledger.lines_bytes)
        self.size += ledger.lines_bytes
        yield partial(self._write_blocks, ledger.deflated_lines())
        yield from self._stream(iter([end]))
        yield self._end

    def _stream(self, stream: Iterator[bytes]) -> Iterator[Step]:
        held, length = list[memoryview](), 0
        for piece in stream:
            rest = memoryview(piece)
            while length + len(rest) >= CHUNK:
                part, rest = rest[: CHUNK - length], rest[CHUNK - length :]
                yield Request(ask=partial(self._ask_pieces, [*held, part]), take=self._take)
                held, length = [], 0
            held.append(rest)
            length += len(rest)
        if length:
            yield Request(ask=partial(self._ask_pieces, held), take=self._take)

    def dump_steps(self, member: Member) -> Iterator[Step]:
        """Read a dump; one that a backup can do without ends with its failure noted."""
        yield from self.stream_steps(self._dumped(member))

    def _dumped(self, member: Member) -> Iterator[bytes]:
        try:
            if member.stream is not None:
                yield from member.stream()
        except DumpError as error:
            if not member.optional:
                raise
            self.failure = error

    def _ask_file(self, descriptor: int, length: int, slot: Slot) -> Message:
        done = 0
        try:
            while done < length and (more := os.readv(descriptor, [slot.plain[done:length]])):
                done += more
        except OSError as error:
            self.failure = error
        return self._ask(slot.plain[:done])

    def _ask_pieces(self, pieces: Sequence[memoryview], slot: Slot) -> Message:
        return self._ask(slot.plain[: lay(pieces, slot.plain)])

    def _ask(self, plain: memoryview) -> Message:
        self._sha256.update(plain)
        self._crc = crc32(plain, self._crc)
        self.size += len(plain)
        return "chunk", len(plain), self._may_shrink

    def _take(self, _: Slot, encoded: memoryview, answer: Message) -> None:
        if not self.failure:
            self._write_data(encoded)
            (length,) = answer
            self._on_progress(length)

    def _begin(self) -> None:
        self._take_back = self._output.mark()
        self.offset = self._output.position
        mtime_ns, mode, _, uid, gid, _, _, _ = self.known
        self._head = heading(
            self.reading.path,
            file_mode(self.reading.kind, mode),
            mtime_ns,
            (uid, gid),
            self._zone,
            method=DEFLATED,
            aes=aes_extra(DEFLATED) if self._encrypter else b"",
        )
        self._write(streamed_header(self._head))
        if self._encrypter:
            self._write(self._encrypter.head)
            self._compressed += len(self._encrypter.head)

    def _end(self) -> None:
        if self.failure:
            self._take_back()
            return
        self._write_data(LAST_BLOCK)
        if self._encrypter:
            code = self._encrypter.code()
            self._write(code)
            self._compressed += len(code)
            self._crc = 0  # AE-2 leaves it out, for it would tell of the content
        sizes = (self._crc, self._compressed, self.size)
        self._write(descriptor(*sizes))
        self.central = central_record(self._head, *sizes, streamed=True)

    def take_back(self) -> None:
        """Remove from the archive's end what its last step has written."""
        self._take_back()

    def _write_data(self, data: Buffer) -> None:
        stored = self._encrypter.update(data) if self._encrypter else data
        self._compressed += len(stored)
        self._write(stored)

    def _write_blocks(self, blocks: Iterator[bytes]) -> None:
        for block in blocks:
            self._write_data(block)

    def _write(self, data: Buffer) -> None:
        self.stored_crc32 = crc32(data, self.stored_crc32)
        self._output.write(data)
