"""The memory that the writer and its workers share: a setup, and slots for requests and answers.

A slot has two areas. `plain` takes a chunk of a large member as it was read. `work` takes first
the request and then the answer: encoded bytes for the archive, and what is to be said of them.
"""

import marshal
import mmap
import struct
from collections.abc import Iterable
from typing import Any, Final

CHUNK: Final = 1 << 19
"""Bytes of a large member that are deflated together; half as many compress a disk image by half a
percent better than a whole megabyte, and a database by a thousandth worse."""
BATCH: Final = 1 << 20
"""What one batch of small members may weigh; see `weight`."""

_SETUP: Final = 1 << 16
_HEAD: Final = struct.Struct("<QQ")
WORK: Final = BATCH + (1 << 16)
"""What workers hand over at once is no longer than this."""
_SLOT: Final = _HEAD.size + CHUNK + WORK


def lay(pieces: Iterable[bytes | bytearray | memoryview], target: memoryview) -> int:
    """Put pieces one behind the other, from the start of `target`; return their length."""
    end = 0
    for piece in pieces:
        start, end = end, end + len(piece)
        target[start:end] = piece
    return end


def weight(size: int, names: int) -> int:
    """Tell how many bytes of a slot a member of `size` bytes may need in request and answer.

    `names` is the number of characters in its path, origin and link target: each may become an
    escape of 12 bytes in the manifest.
    """
    return size + 1024 + 12 * names


Message = tuple[Any, ...]
"""A request or an answer: values that `marshal` knows."""


class SharedMemory:
    """A setup and `count` slots in one anonymous file, mapped by every process."""

    def __init__(self, descriptor: int, count: int) -> None:
        self._map = mmap.mmap(descriptor, self.length(count))
        whole = memoryview(self._map)
        self._setup = whole[:_SETUP]
        starts = range(_SETUP, len(whole), _SLOT)
        self.slots = [
            Slot(number, whole[start : start + _SLOT]) for number, start in enumerate(starts)
        ]

    @staticmethod
    def length(count: int) -> int:
        """Return the bytes that `count` slots and the setup need."""
        return _SETUP + count * _SLOT

    def put_setup(self, setup: Message) -> None:
        """Leave what every worker must know; only values that `marshal` knows."""
        message = marshal.dumps(setup)
        self._setup[: len(message)] = message

    def setup(self) -> Message:
        """Read it."""
        setup: Message = marshal.loads(self._setup)  # noqa: S302  (from our own parent process)
        return setup


class Slot:
    """One slot; it belongs to whoever was last told its number."""

    def __init__(self, number: int, view: memoryview) -> None:
        self.number = number
        self._head = view[: _HEAD.size]
        self.plain = view[_HEAD.size : _HEAD.size + CHUNK]
        self.work = view[_HEAD.size + CHUNK :]

    def put(self, message: Message, encoded: int = 0) -> None:
        """Leave a message behind the `encoded` bytes that stand at the start of `work`."""
        data = marshal.dumps(message)
        self.work[encoded : encoded + len(data)] = data
        _HEAD.pack_into(self._head, 0, encoded, len(data))

    def get(self) -> tuple[memoryview, Message]:
        """Return the encoded bytes, valid until the slot is used again, and the message."""
        encoded, length = _HEAD.unpack(self._head)
        message: Message = marshal.loads(self.work[encoded : encoded + length])  # noqa: S302  (the same)
        return self.work[:encoded], message
