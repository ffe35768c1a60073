"""Channels in memory: one that keeps what it is given, and fails or hangs when told to."""

import threading

from backupd.errors import NotifierError
from backupd.message import Message


class MemoryChannel:
    """Keeps messages; while `error` is set it raises it instead."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.error: Exception | None = None
        self.refused = ""
        """The id of a message that is refused for good."""
        self.attempts = 0

    @property
    def ids(self) -> list[str]:
        return [message.id for message in self.taken]

    def send(self, message: Message) -> None:
        self.attempts += 1
        if self.error is not None:
            raise self.error
        if message.id == self.refused:
            raise NotifierError("This message is refused.")
        self.taken.append(message)


class HangingChannel:
    """Does not come back until it is released."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()

    def send(self, message: Message) -> None:
        self.entered.set()
        self.released.wait(60)
