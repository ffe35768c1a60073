"""Large files, written and read back past the kernel's cache (`O_DIRECT`, open(2)).

To write 2 GB through the cache cost a processor 3.3 to 4.4 s where this was measured, and past it
0.4 to 1.0 s. Nor is an archive read again soon: in the cache it would drive out what the machine's
other programs read. And what is read back past the cache is what the disk has.

A file system that cannot do it is used through its cache. So is what is not aligned: the position,
the length and the place in memory must be multiples of a sector, which a page always is.
"""

import errno
import fcntl
import hashlib
import mmap
import os
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import Final

BLOCK: Final = 1 << 20
"""Bytes that are written or read at once."""
_AHEAD: Final = 4
"""Blocks that are read at the same time, to keep a disk busy."""
_PAGE: Final = mmap.PAGESIZE
_FICLONERANGE: Final = 0x4020940D
"""ioctl_ficlonerange(2): share blocks of another file of the same file system."""
_RANGE: Final = struct.Struct("=qQQQ")


def aligned_blocks(count: int) -> Sequence[memoryview]:
    """Return so many blocks of memory that begin where a page does.

    Of huge pages where there are any, which take less of a processor, and not for child processes:
    open(2) warns of a fork while a block is read into.
    """
    memory = mmap.mmap(-1, count * BLOCK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_DONTFORK)
    with suppress(OSError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    view = memoryview(memory)
    return [view[start : start + BLOCK] for start in range(0, len(view), BLOCK)]


class DirectFile:
    """An open file, written and read where one says."""

    def __init__(self, plain: int, direct: int | None) -> None:
        self.plain = plain
        """The descriptor that goes through the cache."""
        self.direct = direct
        """The one that goes past it; None if the file system has none."""
        self._can_share = True

    def write(self, data: memoryview, position: int) -> None:
        """Write all of it; its place in memory is as much aligned as `position` is.

        Raises:
            OSError: as pwrite(2) says.
        """
        while data:
            count = self._write_direct(data, position) or os.pwrite(self.plain, data, position)
            data, position = data[count:], position + count

    def _write_direct(self, data: memoryview, position: int) -> int:
        if self.direct is None or position % _PAGE or len(data) % _PAGE:
            return 0
        try:
            return os.pwrite(self.direct, data, position)
        except OSError:  # whatever it is, if it is not for direct access, it comes again
            return 0

    def read(self, block: memoryview, position: int) -> memoryview:
        """Return the block that begins at `position`, or what there is of it, read into `block`.

        Raises:
            OSError: as preadv(2) says.
        """
        done = self._read_direct(block, position)
        while done < len(block):
            count = os.preadv(self.plain, [block[done:]], position + done)
            if not count:
                break
            done += count
        return block[:done]

    def _read_direct(self, block: memoryview, position: int) -> int:
        if self.direct is None:
            return 0
        try:
            return os.preadv(self.direct, [block], position)
        except OSError as error:
            if error.errno == errno.EIO:  # the disk's; the cache may know nothing of it
                raise
            return 0

    def share(self, source: int, start: int, position: int) -> bool:
        """Have a block that stands in another open file stand here, too, if it can be shared."""
        if self._can_share and start % _PAGE == position % _PAGE == 0:
            try:
                request = _RANGE.pack(source, start, BLOCK, position)
                fcntl.ioctl(self.plain, _FICLONERANGE, request)
            except OSError:
                self._can_share = False
            else:
                return True
        return False

    def sync(self) -> None:
        """Make durable what was written.

        Raises:
            OSError: as fsync(2) says.
        """
        for each in (self.direct, self.plain):
            if each is not None:
                os.fsync(each)


@contextmanager
def opened(path: Path, flags: int) -> Iterator[DirectFile]:
    """Open a file by open(2)'s `flags`, and once more past the cache if its file system can.

    Raises:
        OSError: as open(2) says.
    """
    plain = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        direct = _open_again(path, flags & ~(os.O_CREAT | os.O_EXCL))
        try:
            yield DirectFile(plain, direct)
        finally:
            if direct is not None:
                os.close(direct)
    finally:
        os.close(plain)


def _open_again(path: Path, flags: int) -> int | None:
    try:
        return os.open(path, flags | os.O_DIRECT | os.O_CLOEXEC)
    except OSError:
        return None


def sha256_of(path: Path) -> str:
    """Return the SHA-256, in hexadecimal, of what the disk has of a file.

    Raises:
        OSError: it cannot be read.
    """
    digest, blocks = hashlib.sha256(), cycle(aligned_blocks(_AHEAD + 1))
    coming: deque[Future[memoryview]] = deque()
    with opened(path, os.O_RDONLY) as file, ThreadPoolExecutor(_AHEAD, "read") as pool:
        for position in range(0, os.fstat(file.plain).st_size, BLOCK):
            coming.append(pool.submit(file.read, next(blocks), position))
            if len(coming) > _AHEAD:
                digest.update(coming.popleft().result())
        for each in coming:
            digest.update(each.result())
    return digest.hexdigest()
