"""The file that an archive is written to, front to back, hashed on the way."""

import errno
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, Protocol

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


class FileOutput:
    """A new file; `sha256` is that of all that was written.

    Raises:
        OSError: there is no room, mostly.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._sha256 = hashlib.sha256()
        self.position = 0
        self._on_its_way = 0
        self._copied = bytearray(_COPY)

    def write(self, data: Buffer) -> None:
        """Write all of it."""
        self._sha256.update(data)
        written = os.write(self._descriptor, data)
        while written < len(data):
            written += os.write(self._descriptor, memoryview(data)[written:])
        self._advance(len(data))

    def _advance(self, length: int) -> None:
        self.position += length
        if self.position - self._on_its_way > _SEND_EVERY:
            self._send()

    def copy(
        self, source: BinaryIO, start: int, length: int, check: Callable[[Buffer], None]
    ) -> None:
        """Take over bytes of another file, which the kernel copies while they are hashed here."""
        if length < _COPY:
            self._copy(source.fileno(), start, length, _at_once, check)
            return
        with ThreadPoolExecutor(1) as copier:
            for done in range(0, length, _COPY):
                piece = min(length - done, _COPY)
                self._copy(source.fileno(), start + done, piece, copier.submit, check)

    def _copy(
        self,
        source: int,
        start: int,
        length: int,
        run: Callable[..., Future[int]],
        check: Callable[[Buffer], None],
    ) -> None:
        data = memoryview(self._copied)[:length]
        try:
            if os.preadv(source, [data], start) != length:
                raise UnreadableError
        except OSError as error:
            raise UnreadableError from error
        copying = run(self._copy_range, source, start, length)
        self._sha256.update(data)
        check(data)
        if copying.result() != length:
            raise UnreadableError
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
        length = self.position - self._on_its_way
        os.posix_fadvise(self._descriptor, self._on_its_way, length, os.POSIX_FADV_DONTNEED)
        self._on_its_way = self.position

    def mark(self) -> Callable[[], None]:
        """Return a function that takes back all that is written from here on."""
        position, digest = self.position, self._sha256.copy()

        def take_back() -> None:
            os.ftruncate(self._descriptor, position)
            os.lseek(self._descriptor, position, os.SEEK_SET)
            self.position, self._sha256 = position, digest
            self._on_its_way = min(self._on_its_way, position)

        return take_back

    def sha256(self) -> str:
        """Return the digest of what was written, in hexadecimal."""
        return self._sha256.hexdigest()


def _at_once(copy: Callable[..., int], *arguments: int) -> "Future[int]":
    """Do it here: for little, another thread is not worth its start."""
    future: Future[int] = Future()
    future.set_result(copy(*arguments))
    return future
