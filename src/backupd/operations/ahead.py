"""Walks a source in a thread of its own, so that the archive grows from the first member on."""

import signal
from collections.abc import Iterable, Iterator
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Self

from backupd.model import Member, Omission

_AT_ONCE = 256
_AHEAD = 100_000
"""Members that wait at the most, at about 600 bytes of memory each."""


class Ahead:
    """What a source gives, in its order.

    The thread runs far ahead: that all is known soon is what makes "43 %" possible. It has ended
    when the context is left, or ends soon if that is because of an error, which waits for no disk.
    """

    def __init__(self, items: Iterable[Member | Omission]) -> None:
        self.members = 0
        """How many were found so far."""
        self.content_bytes = 0
        """Their sizes, as far as they are known."""
        self.is_complete = False
        """Whether these are all; never, if the source failed."""
        self._items = iter(items)
        self._found: SimpleQueue[list[Member | Omission]] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()  # a semaphore that a signal cannot lock
        for _ in range(_AHEAD // _AT_ONCE):
            self._room.put(None)
        self._error: BaseException | None = None
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
        self._room.put(None)
        if error is None:
            self._thread.join()

    def __iter__(self) -> Iterator[Member | Omission]:
        """Give each once; then raise what the source raised."""
        while found := self._found.get():
            self._room.put(None)
            yield from found
        if self._error:
            raise self._error

    def _walk(self) -> None:
        # Signals are for the other thread, which may have them wait.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
        try:
            while not self._is_stopped and (found := list(islice(self._items, _AT_ONCE))):
                sizes = [item.size or 0 for item in found if isinstance(item, Member)]
                self.members += len(sizes)
                self.content_bytes += sum(sizes)
                self._room.get()
                self._found.put(found)
        except BaseException as error:  # noqa: BLE001  (raised again where it is waited for)
            self._error = error
        else:
            self.is_complete = True
        self._found.put([])
