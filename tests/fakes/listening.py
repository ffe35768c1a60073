"""Observers for tests."""

from typing import TypeVar

from backupd.events import Event

EventT = TypeVar("EventT")


class Listener:
    """Remembers every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[EventT]) -> list[EventT]:
        """Give the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


def deaf(event: Event) -> None:
    """Listen to nothing."""


def raising(event: Event) -> None:
    """Fail on every event."""
    raise RuntimeError("this observer always fails")
