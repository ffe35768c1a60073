"""The file that an archive is written to, front to back, hashed on the way."""

import hashlib
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import BinaryIO, Protocol

from backupd.direct import BLOCK, DirectFile, aligned_blocks

Buffer = bytes | bytearray | memoryview


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


_MOST_WAITING = 8
"""Blocks that wait to be hashed and written."""
_Origin = tuple[int, int]
"""A file's descriptor, and where in it a block stands."""


class FileOutput:
    """A new file; `sha256` is that of all that was written.

    `hasher` and `writer` have one thread each, which do so while the archive's builder goes on; no
    more than a few blocks wait for them.

    Raises:
        OSError: there is no room, mostly; said of a `write` by one of the next, or by `settle`.
    """

    def __init__(self, file: DirectFile, hasher: Executor, writer: Executor) -> None:
        self._file = file
        self._hasher = hasher
        self._writer = writer
        self._waiting: deque[tuple[Future[None], Future[None]]] = deque()
        self._sha256 = hashlib.sha256()
        self._blocks = deque(aligned_blocks(_MOST_WAITING + 1))
        """The first is being filled; what stands in it stands as far from a block's start as in
        the file."""
        self._given = 0
        """What stands before this position has been handed to the threads."""
        self.position = 0

    def write(self, data: Buffer) -> None:
        """Have all of it written."""
        view = memoryview(data)
        while view:
            room = self._room(len(view))
            room[:] = view[: len(room)]
            view = view[len(room) :]
            self._fill(len(room))

    def _room(self, length: int) -> memoryview:
        """Return where the next bytes stand in their block: up to `length`, or to its end."""
        start = self.position % BLOCK
        return self._blocks[0][start : start + length]

    def _fill(self, length: int, origin: _Origin | None = None) -> None:
        """Count what has been put there; `origin` is where it has been taken from."""
        self.position += length
        if self.position % BLOCK == 0:
            self._give(origin if length == BLOCK else None)

    def _give(self, origin: _Origin | None = None) -> None:
        """Have what stands in the block hashed and written."""
        if self._given == self.position:
            return
        if len(self._waiting) == _MOST_WAITING:
            self._finish_first()
        start = self._given % BLOCK
        data = self._blocks[0][start : start + self.position - self._given]
        hashing = self._hasher.submit(self._sha256.update, data)
        writing = self._writer.submit(self._put, data, self._given, origin)
        self._waiting.append((hashing, writing))
        self._blocks.rotate()
        self._given = self.position

    def _put(self, data: memoryview, position: int, origin: _Origin | None) -> None:
        if origin is None or not self._file.share(*origin, position):
            self._file.write(data, position)

    def _finish_first(self) -> None:
        for each in self._waiting.popleft():
            each.result()

    def settle(self) -> None:
        """Wait until all is written."""
        self._give()
        while self._waiting:
            self._finish_first()

    def copy(
        self, source: BinaryIO, start: int, length: int, check: Callable[[Buffer], None]
    ) -> None:
        """Take over bytes of another file; whole blocks are shared with it, if that can be."""
        end = start + length
        while start < end:
            room = self._room(end - start)
            try:
                if os.preadv(source.fileno(), [room], start) != len(room):
                    raise UnreadableError
            except OSError as error:
                raise UnreadableError from error
            check(room)
            self._fill(len(room), (source.fileno(), start))
            start += len(room)

    def mark(self) -> Callable[[], None]:
        """Return a function that takes back all that is written from here on."""
        self._give()
        position, digest = self.position, self._hasher.submit(self._sha256.copy)

        def take_back() -> None:
            self.settle()
            os.ftruncate(self._file.plain, position)
            self._sha256 = digest.result()
            self.position = self._given = position

        return take_back

    def sha256(self) -> str:
        """Return the digest of what was written, in hexadecimal."""
        self.settle()
        return self._sha256.hexdigest()
