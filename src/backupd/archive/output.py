"""The file that an archive is written to, front to back, hashed on the way."""

import errno
import hashlib
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import BinaryIO, Protocol

from backupd.archive.slots import WORK

Buffer = bytes | bytearray | memoryview

_SEND_EVERY = 1 << 24
_NO_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}


class UnreadableError(Exception):
    """What was to be copied cannot be read; an error of writing is an OSError."""


class Output(Protocol):
    """Where records go, one behind the other."""

    position: int
    """Where the next byte will stand."""

    def write(self, data: Buffer) -> None:
        """Write all of it."""
        ...

    def copy(
        self, source: BinaryIO, start: int, length: int, check: Callable[[Buffer], None]
    ) -> None:
        """Write `length` bytes that stand in another file from `start`, and show them to `check`.

        Raises:
            UnreadableError: that file cannot be read; some of it may have been written.
        """
        ...

    def mark(self) -> Callable[[], None]:
        """Return a function that takes back all that is written from here on."""
        ...


_COPY = 1 << 22
_MOST_WAITING = 8
"""Blocks that wait to be hashed and written."""


class FileOutput:
    """A new file; `sha256` is that of all that was written.

    `aside` has one thread, which hashes and writes while the archive's builder goes on; no more
    than a few megabytes wait for it.

    Raises:
        OSError: there is no room, mostly; said of a `write` by one of the next, or by `settle`.
    """

    def __init__(self, descriptor: int, aside: Executor) -> None:
        self._descriptor = descriptor
        self._aside = aside
        self._waiting: deque[Future[None]] = deque()
        self._sha256 = hashlib.sha256()
        self._written = 0
        self._on_its_way = 0
        self._copied = bytearray(_COPY)
        self._buffers = deque(memoryview(bytearray(WORK)) for _ in range(_MOST_WAITING))
        self.position = 0

    def write(self, data: Buffer) -> None:
        """Have all of it written."""
        for start in range(0, len(data), WORK):
            piece = memoryview(data)[start : start + WORK]
            if len(self._waiting) == len(self._buffers):
                self._waiting.popleft().result()
            held = self._buffers[0][: len(piece)]
            self._buffers.rotate()
            held[:] = piece
            self._waiting.append(self._aside.submit(self._write, held))
        self.position += len(data)

    def _write(self, data: memoryview) -> None:
        self._sha256.update(data)
        written = os.write(self._descriptor, data)
        while written < len(data):
            written += os.write(self._descriptor, data[written:])
        self._advance(len(data))

    def _advance(self, length: int) -> None:
        self._written += length
        if self._written - self._on_its_way > _SEND_EVERY:
            self._send()

    def settle(self) -> None:
        """Wait until all is written."""
        while self._waiting:
            self._waiting.popleft().result()

    def copy(
        self, source: BinaryIO, start: int, length: int, check: Callable[[Buffer], None]
    ) -> None:
        """Take over bytes of another file, which the kernel copies while they are hashed here."""
        self.settle()
        for done in range(0, length, _COPY):
            self._copy(source.fileno(), start + done, min(length - done, _COPY), check)

    def _copy(self, source: int, start: int, length: int, check: Callable[[Buffer], None]) -> None:
        data = memoryview(self._copied)[:length]
        try:
            if os.preadv(source, [data], start) != length:
                raise UnreadableError
        except OSError as error:
            raise UnreadableError from error
        copying = self._aside.submit(self._copy_range, source, start, length)
        self._sha256.update(data)
        check(data)
        if copying.result() != length:
            raise UnreadableError
        self.position += length
        self._advance(length)

    def _copy_range(self, source: int, start: int, length: int) -> int:
        done = 0
        while done < length:
            try:
                count = os.copy_file_range(source, self._descriptor, length - done, start + done)
            except OSError as error:
                if error.errno not in _NO_COPY:
                    raise
                count = os.write(self._descriptor, os.pread(source, length - done, start + done))
            if not count:
                break
            done += count
        return done

    def _send(self) -> None:
        """Let the kernel begin to write, without waiting, so that the last fsync is short.

        For pages that are not yet written, this advice means just that (Linux, mm/fadvise.c).
        """
        length = self._written - self._on_its_way
        os.posix_fadvise(self._descriptor, self._on_its_way, length, os.POSIX_FADV_DONTNEED)
        self._on_its_way = self._written

    def mark(self) -> Callable[[], None]:
        """Return a function that takes back all that is written from here on."""
        position, digest = self.position, self._aside.submit(self._sha256.copy)

        def take_back() -> None:
            self.settle()
            os.ftruncate(self._descriptor, position)
            os.lseek(self._descriptor, position, os.SEEK_SET)
            self._sha256 = digest.result()
            self.position = self._written = position
            self._on_its_way = min(self._on_its_way, position)

        return take_back

    def sha256(self) -> str:
        """Return the digest of what was written, in hexadecimal."""
        self.settle()
        return self._sha256.hexdigest()
