"""Walks a source in a thread of its own, so that the archive grows from the first member on."""

from collections.abc import Iterable, Iterator
from itertools import islice
from queue import SimpleQueue
from threading import Semaphore, Thread
from types import TracebackType
from typing import Self

from backupd.model import Member, Omission

_AT_ONCE = 256
_AHEAD = 100_000
"""Members that wait at the most, at about 600 bytes of memory each."""


class Ahead:
    """What a source gives, in its order; the thread is gone when the context is left.

    It runs far ahead: that all is known soon is what makes "43 %" possible.
    """

    def __init__(self, items: Iterable[Member | Omission]) -> None:
        self.members = 0
        """How many were found so far."""
        self.content_bytes = 0
        """Their sizes, as far as they are known."""
        self.is_complete = False
        self._items = iter(items)
        self._found: SimpleQueue[list[Member | Omission]] = SimpleQueue()
        self._room = Semaphore(_AHEAD // _AT_ONCE)
        self._error: Exception | None = None
        self._is_stopped = False
        self._thread = Thread(target=self._walk, name="walk", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_stopped = True
        self._room.release()
        self._thread.join()

    def __iter__(self) -> Iterator[Member | Omission]:
        """Give each once; then raise what the source raised."""
        while found := self._found.get():
            self._room.release()
            yield from found
        if self._error:
            raise self._error

    def _walk(self) -> None:
        try:
            while not self._is_stopped and (found := list(islice(self._items, _AT_ONCE))):
                sizes = [item.size or 0 for item in found if isinstance(item, Member)]
                self.members += len(sizes)
                self.content_bytes += sum(sizes)
                self._room.acquire()
                self._found.put(found)
        except Exception as error:  # noqa: BLE001  (raised again where it is waited for)
            self._error = error
        self.is_complete = True
        self._found.put([])
