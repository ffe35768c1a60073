"""While a command runs an operation: people are told, and its end waits a second at the most."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backupd.events import Event
    from backupd.notifiers.worker import OutboxWorker
    from backupd.observers.aside import Aside
    from backupd.ports import Observer
    from backupd.wiring import App

_FOR_MESSAGES = 0.8
_FOR_FIGURES = 0.2
"""Seconds that a command's end may wait; the daemon, or the next run, sends what is left."""


@contextmanager
def telling(app: "App", *, disabled: bool) -> Iterator["Observer"]:
    """Give the observer that tells people and keeps the figures, and send what it writes.

    With `disabled` nobody is told; the figures are kept all the same.
    """
    from backupd.observers.group import ObserverGroup  # noqa: PLC0415

    with ExitStack() as stack:
        observers = [stack.enter_context(_figures(app))]  # left last: they count what waits
        if not disabled:
            observers.append(stack.enter_context(_messages(app)))
        yield ObserverGroup(observers)


class Announcer:
    """The daemon's own: tells what only it sees, and sends what operations left in the outbox."""

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

    def stop(self, seconds: float = 1.0) -> None:
        """Stop in so many seconds; what was not sent by then stays in the outbox."""
        deadline = time.monotonic() + seconds
        if self._aside is not None:
            self._aside.close(seconds)
        if self._worker is not None:
            self._worker.stop(deadline - time.monotonic())
        self._worker = self._aside = None


@contextmanager
def _messages(app: "App") -> Iterator["Observer"]:
    from backupd.observers.aside import Aside  # noqa: PLC0415

    worker = app.channels.worker()
    teller = app.channels.teller(app.history, worker.wake)
    aside = Aside(teller)
    worker.start()
    try:
        yield aside
    finally:
        deadline = time.monotonic() + _FOR_MESSAGES
        aside.close(deadline - time.monotonic())
        worker.stop(deadline - time.monotonic())


@contextmanager
def _figures(app: "App") -> Iterator["Observer"]:
    """Renew the metrics at the very end, when what could be sent is sent."""
    from backupd.observers.aside import Aside  # noqa: PLC0415

    metrics = app.metrics()
    if metrics is None:
        yield _deaf
        return
    last: deque[Event] = deque(maxlen=1)  # how it ended
    try:
        yield last.append
    finally:
        aside = Aside(metrics)
        for event in last:
            aside(event)
        aside.close(_FOR_FIGURES)


def _deaf(event: "Event") -> None:
    """Listen to nothing."""
