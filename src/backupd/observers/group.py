"""Many observers as one; what one of them raises reaches neither the others nor the operation."""

from collections.abc import Sequence

import structlog

from backupd.events import Event
from backupd.ports import Observer


class ObserverGroup:
    """Calls every observer in turn."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def __call__(self, event: Event) -> None:
        """Announce an event to all."""
        for observer in self._observers:
            try:
                observer(event)
            except Exception:  # noqa: BLE001  (an observer changes nothing)
                structlog.get_logger("backupd").critical(
                    "an observer failed", event_name=type(event).__name__, exc_info=True
                )
