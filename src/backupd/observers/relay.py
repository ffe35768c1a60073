"""One JSON line per event to the daemon that started this operation: its signs of life."""

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field

from backupd.events import Event, OperationStarted, Progressed

VARIABLE = "BACKUPD_EVENTS_FD"
"""Names the inherited pipe in the process environment of an operation."""

_BETWEEN_LINES = 0.25


@dataclass(slots=True)
class Relay:
    """An observer that writes to a pipe, and never waits for its reader.

    Lines are shorter than a pipe's atomic size (pipe(7)), so a full pipe loses whole lines only.
    """

    descriptor: int
    _phase: str = ""
    _last: float = field(default=float("-inf"))

    def __post_init__(self) -> None:
        os.set_blocking(self.descriptor, False)

    def __call__(self, event: Event) -> None:
        """Pass the event on; of progress, a few lines a second are enough."""
        line: dict[str, str | int] = {"event": type(event).__name__}
        if isinstance(event, OperationStarted):
            line["run_id"] = event.run_id
        elif isinstance(event, Progressed):
            if not self._is_worth_a_line(event):
                return
            line |= {"phase": event.phase, "done": event.done, "total": event.total}
        with suppress(BlockingIOError, BrokenPipeError):  # the operation ends without the daemon
            os.write(self.descriptor, json.dumps(line).encode() + b"\n")

    def _is_worth_a_line(self, event: Progressed) -> bool:
        now = time.monotonic()
        if event.phase == self._phase and now - self._last < _BETWEEN_LINES:
            return False
        self._phase, self._last = event.phase, now
        return True
