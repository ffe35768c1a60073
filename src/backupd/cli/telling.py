"""While a command runs an operation: people are told, and its end waits a second at the most."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backupd.events import Event
    from backupd.notifiers.worker import OutboxWorker
    from backupd.observers.aside import Aside
    from backupd.ports import Observer
    from backupd.wiring import App

_FOR_MESSAGES = 1.0
"""Seconds that a command's end may wait; the daemon, or the next run, sends what is left."""

_FOR_DISK = 5.0
"""Seconds that it may take to write down what people are to be told, on a disk that is busy."""


@contextmanager
def telling(app: "App", *, disabled: bool) -> Iterator["Observer"]:
    """Give the observer that tells people and keeps the figures, and send what it writes.

    With `disabled` nobody is told; the figures are kept all the same.
    """
    from backupd.observers.group import ObserverGroup  # noqa: PLC0415

    announcer = Announcer()
    last: deque[Event] = deque(maxlen=1)  # how it ended
    observers: list[Observer] = [last.append]
    if not disabled:
        observers.append(announcer.follow(app))
    try:
        yield ObserverGroup(observers)
    finally:
        announcer.stop()
        _keep_figures(app, last)  # last: they count what waits to be sent


class Announcer:
    """Writes to the outbox what there is to tell, and sends what stands in it."""

    def __init__(self) -> None:
        self._worker: OutboxWorker | None = None
        self._aside: Aside | None = None

    def follow(self, app: "App") -> "Observer":
        """Go by these settings from now on; give the observer that tells people."""
        from backupd.observers.aside import Aside  # noqa: PLC0415

        self.stop()
        worker = app.channels.worker()
        teller = app.channels.teller(app.history, worker.wake)
        self._worker, self._aside = worker, Aside(teller)
        worker.start()
        return self._aside

    def stop(self, seconds: float = _FOR_MESSAGES) -> None:
        """Stop sending in so many seconds; what was not sent by then stays in the outbox.

        Writing to the outbox is waited for before, for it is done once, and here.
        """
        if self._aside is not None:
            self._aside.close(_FOR_DISK)
        if self._worker is not None:
            self._worker.stop(seconds)
        self._worker = self._aside = None


def _keep_figures(app: "App", events: "deque[Event]") -> None:
    """Renew the metrics after an operation, if any are wanted; a disk that hangs is left alone."""
    from backupd.observers.aside import Aside  # noqa: PLC0415

    metrics = app.metrics()
    if metrics is None:
        return
    aside = Aside(metrics)
    for event in events:
        aside(event)
    aside.close(_FOR_DISK)
