"""One member's bytes, from its local header to its last check: decrypted, inflated, compared."""

import hashlib
import struct
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext

from backupd.archive.directory import Record
from backupd.archive.records import CODE_BYTES, DEFLATED, HEAD_BYTES, LOCAL_BYTES
from backupd.errors import ArchiveError, DamagedError, WrongPasswordError

try:
    from isal.igzip_lib import IsalError as InflateError
    from isal.isal_zlib import crc32, decompressobj
except ImportError:  # a machine that ISA-L is not made for
    from zlib import crc32, decompressobj  # type: ignore[assignment]
    from zlib import error as InflateError  # type: ignore[assignment]  # noqa: N812

Chunk = bytes | memoryview

_CHUNK = 1024 * 1024
_LARGE = 8 * 1024 * 1024
"""From this size on a member is hashed in a thread of its own, while the next bytes inflate."""
_MOST_WAITING = 4
"""Chunks that wait for that thread."""
_LENGTHS = struct.Struct("<HH")
_LOCAL_SIGNATURE = b"PK\x03\x04"


def content(
    record: Record, raw: Iterable[Chunk], *, password: str | None, sha256: str = ""
) -> Generator[Chunk]:
    """Give a member's plain bytes; when the last has been given, they were what was written.

    `raw` is what stands in the archive from the member's local header on, at least up to its
    last byte. The ZIP's own check (CRC-32, or the authentication code of AES) is always made,
    and that of `sha256` if it is given. Never gives more than `record.size` bytes.

    Raises:
        DamagedError: the bytes are not what the directory, or the manifest, says.
        WrongPasswordError: it is encrypted, and not with `password`.
        DestinationError: as reading `raw` raises it.
    """
    digest, crc, left = hashlib.sha256(), 0, record.size
    hashing = _aside(digest.update) if left >= _LARGE else nullcontext(digest.update)
    with hashing as update:
        for chunk in _inflated(record, _decrypted(record, _Cursor(record, raw), password)):
            left -= len(chunk)
            if left < 0:
                raise _damaged(record, "it is longer than it should be")
            if sha256:
                update(chunk)
            if record.has_crc:
                crc = crc32(chunk, crc)
            yield chunk
    if left:
        raise _damaged(record, f"{left} bytes of it are missing")
    if record.has_crc and crc != record.crc:
        raise _damaged(record, "its CRC-32 is another one")
    if sha256 and digest.hexdigest() != sha256:
        raise _damaged(record, "its SHA-256 is not the one in the manifest")


def opened_content(
    record: Record, raw: Iterable[Chunk], *, password: str | None, sha256: str
) -> Generator[Chunk]:
    """Do as `content`, where the password is known to be right: another one is damage then."""
    try:
        yield from content(record, raw, password=password, sha256=sha256)
    except WrongPasswordError as error:
        raise _damaged(record, "its salt or password verifier is damaged") from error


@contextmanager
def _aside(update: Callable[[Chunk], None]) -> Iterator[Callable[[Chunk], None]]:
    """Give what passes chunks to `update` in a thread; they are done when the block ends."""
    waiting = deque[Future[None]]()

    def later(chunk: Chunk) -> None:
        if len(waiting) == _MOST_WAITING:
            waiting.popleft().result()
        waiting.append(thread.submit(update, chunk))

    with ThreadPoolExecutor(1, "sha256") as thread:
        yield later
        for each in waiting:
            each.result()


def _damaged(record: Record, what: str) -> DamagedError:
    return DamagedError(f"The member {record.path!r} is damaged: {what}.", what=what)


class _Cursor:
    """Takes a member's raw bytes apart."""

    def __init__(self, record: Record, raw: Iterable[Chunk]) -> None:
        self._record = record
        self._chunks = iter(raw)
        self._held = memoryview(next(self._chunks, b""))
        self._skip_header()

    def _skip_header(self) -> None:
        header = self.take(LOCAL_BYTES)
        name_length, extra_length = _LENGTHS.unpack_from(header, 26)
        name = self.take(name_length + extra_length)[:name_length]
        if header[:4] != _LOCAL_SIGNATURE or name != self._record.name:
            raise _damaged(self._record, "something else stands in its place")

    def take(self, length: int) -> bytes:
        """Return exactly so many bytes, which are few."""
        if len(self._held) < length:
            return b"".join(self.stream(length))
        part, self._held = self._held[:length], self._held[length:]
        return bytes(part)

    def stream(self, length: int) -> Iterator[memoryview]:
        """Give the next `length` bytes, as they come."""
        while length:
            if not self._held:
                held = next(self._chunks, None)
                if held is None:
                    raise _damaged(self._record, "the archive ends before it")
                self._held = memoryview(held)
            part, self._held = self._held[:length], self._held[length:]
            length -= len(part)
            yield part


def _decrypted(record: Record, cursor: _Cursor, password: str | None) -> Iterator[memoryview]:
    if not record.encrypted:
        yield from cursor.stream(record.compressed_size)
        return
    if not password:
        raise WrongPasswordError("The archive is encrypted, and no password is set.")
    from backupd.archive.cipher import Decrypter  # noqa: PLC0415  (slow to import)

    decrypter = Decrypter(password, cursor.take(HEAD_BYTES))
    for part in cursor.stream(record.compressed_size - HEAD_BYTES - CODE_BYTES):
        yield memoryview(decrypter.update(part))
    try:
        decrypter.verify(cursor.take(CODE_BYTES))
    except ArchiveError as error:
        raise _damaged(record, "its authentication code does not match") from error


def _inflated(record: Record, chunks: Iterator[memoryview]) -> Iterator[Chunk]:
    """Undo deflate in bounded steps; a stream must end where the member does."""
    if record.method != DEFLATED:
        yield from chunks
        return
    inflater = decompressobj(-zlib.MAX_WBITS)
    try:
        for chunk in chunks:
            pending = chunk
            while pending and not inflater.eof:
                yield inflater.decompress(pending, _CHUNK)
                pending = memoryview(inflater.unconsumed_tail)
        while not inflater.eof:
            rest = inflater.decompress(b"", _CHUNK)
            if not rest:
                raise _damaged(record, "its compressed bytes end too early")
            yield rest
    except InflateError as error:  # type: ignore[misc]  # the types say an instance
        raise _damaged(record, "its compressed bytes make no sense") from error
