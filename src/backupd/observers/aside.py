"""An observer in a thread of its own: one that hangs holds up nothing."""

import threading
from queue import SimpleQueue

import structlog

from backupd.events import Event, Progressed
from backupd.ports import Observer


class Aside:
    """Passes events on, in order, save the many of progress; the caller never waits for it."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._queue: SimpleQueue[Event | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="aside", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        """Pass an event on."""
        if not isinstance(event, Progressed):
            self._queue.put(event)

    def close(self, seconds: float) -> bool:
        """Wait until all is dealt with, but no longer; tell whether it was."""
        self._queue.put(None)
        self._thread.join(max(seconds, 0.0))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (event := self._queue.get()) is not None:
            try:
                self._observer(event)
            except Exception:  # noqa: BLE001  (an observer changes nothing)
                structlog.get_logger("backupd").exception(
                    "an observer failed", observer=repr(self._observer)
                )
