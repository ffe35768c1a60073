"""The few protocols that everything plugs into; each docstring is the contract.

`tests/destinations/test_contract.py` holds every destination to its own.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol, runtime_checkable

from backupd.errors import DestinationError
from backupd.events import Event
from backupd.message import Message
from backupd.model import Member, Omission, StoredObject

Observer = Callable[[Event], None]
"""Listens to what happens. What it raises changes nothing."""

Progress = Callable[[int], None]
"""Called with the number of bytes just moved, often enough to be a sign of life."""


class Clock(Protocol):
    """The time, as an argument."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        ...


class Source(Protocol):
    """Gives the members of one file tree or one database.

    `members` may be walked once per run. What stands in the source but cannot be taken is
    given as an `Omission` in its place; what makes the whole source useless is a `SourceError`.
    A member's `origin` stays readable until the run ends. Raises SourceError, and nothing else.
    """

    @property
    def name(self) -> str:
        """What people know it by."""
        ...

    def members(self) -> Iterator[Member | Omission]:
        """Walk the source in an order that is the same for the same content."""
        ...


class Destination(Protocol):
    """Keys and bytes; it knows no backups.

    After `store` returns, the object is whole and durable; if it raises, nothing can be seen
    under the key, or what was seen there before. An object that is there is never overwritten.
    `list` never shows anything partial, and gives keys in ascending order. Keys are file names
    without `/`. Raises DestinationError and ObjectNotFoundError, and nothing else.
    """

    @property
    def name(self) -> str:
        """What people know it by."""
        ...

    def store(self, key: str, path: Path, *, on_progress: Progress) -> StoredObject:
        """Bring the file at `path` here under `key`.

        If the same bytes are there already, that is success, so that a try may follow a try
        whose end is not known; if something else is there, it is refused.
        """
        ...

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Give `length` bytes from `start`, or all that follow, in chunks of bounded size."""
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Give every whole object whose key starts with `prefix`."""
        ...

    def delete(self, keys: Sequence[str]) -> Mapping[str, DestinationError]:
        """Remove the objects, durably; return those that are still there, each with its reason.

        What is not there is as good as removed.
        """
        ...

    def sweep(self, before: datetime) -> Sequence[str]:
        """Remove what deliveries that died before that moment left; return what it was."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """What a destination tells of itself; None where it cannot."""

    free_bytes: int | None = None
    clock_ahead: timedelta | None = None
    """How far its clock is ahead of ours."""
    leftovers: tuple[str, ...] = ()
    """What deliveries left unfinished before the moment that was asked for."""


@runtime_checkable
class Gauged(Protocol):
    """A destination that tells about itself. Raises DestinationError, and nothing else."""

    def gauges(self, before: datetime) -> Gauges:
        """Look, and change nothing."""
        ...


@runtime_checkable
class Locking(Protocol):
    """A destination that may itself keep objects. Raises DestinationError, and nothing else."""

    def locked_until(self, keys: Sequence[str]) -> Mapping[str, datetime]:
        """Tell until when it keeps each of these; what is not locked, or not there, is left out."""
        ...


class Loader(Protocol):
    """One database of a server, into which a dump can be loaded.

    `load` and `replace` take a dump's file name, whose ending tells its format, and its bytes. If
    the bytes raise, or the loading fails, the database is as it was before if `all_or_nothing`;
    else the error says that it is half loaded. Raises LoadError, and what the bytes raise.
    """

    @property
    def name(self) -> str:
        """The database's name in the settings."""
        ...

    @property
    def kinds(self) -> Collection[str]:
        """The kinds of database (`DatabaseFacts.kind`) whose dumps its server takes."""
        ...

    @property
    def all_or_nothing(self) -> bool:
        """Whether a database is as it was before, should the loading fail."""
        ...

    def tables(self) -> Mapping[str, int]:
        """Count the rows of every table, and of views as 0; nothing if there is no database."""
        ...

    def load(self, file_name: str, chunks: Iterable[bytes]) -> None:
        """Load a dump into an empty database, which is created if there is none."""
        ...

    def replace(self, file_name: str, chunks: Iterable[bytes]) -> None:
        """Load a dump, and with it replace what is in the database under the same names."""
        ...

    def scratch(self) -> AbstractContextManager["Loader"]:
        """Make an empty database beside this one, for a trial, and drop it at the end."""
        ...


class Notifier(Protocol):
    """Brings messages to people, or to programs, over one channel.

    After `send` returns, the other side has taken the message; if it raises, the other side
    has most likely not. It waits for the other side for half a minute at a time at the most.
    Raises NotifierError, and nothing else.
    """

    def send(self, message: Message) -> None:
        """Hand the message over."""
        ...
