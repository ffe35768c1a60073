"""The file that an archive is written to, front to back, hashed on the way."""

import hashlib
import os
from collections.abc import Callable
from typing import Protocol

Buffer = bytes | bytearray | memoryview

_SEND_EVERY = 1 << 24


class Output(Protocol):
    """Where records go, one behind the other."""

    position: int
    """Where the next byte will stand."""

    def write(self, data: Buffer) -> None:
        """Write all of it."""
        ...

    def mark(self) -> Callable[[], None]:
        """Return a function that takes back all that is written from here on."""
        ...


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

    def write(self, data: Buffer) -> None:
        """Write all of it."""
        self._sha256.update(data)
        written = os.write(self._descriptor, data)
        while written < len(data):
            written += os.write(self._descriptor, memoryview(data)[written:])
        self.position += len(data)
        if self.position - self._on_its_way > _SEND_EVERY:
            self._send()

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
