"""How a backup set is: what ran, what was copied where, what is wrong, what waits to be told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from backupd.history import History
from backupd.lock import SetLock
from backupd.observers.memory import open_problems
from backupd.outbox import Outbox
from backupd.records import CopyRecord, Run, Sighting
from backupd.state_file import is_there
from backupd.telling.notices import Open

OPERATIONS = ("backup", "deliver", "clean", "monitor", "verify", "drill")
_RUNS = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationState:
    """How an operation last came out."""

    operation: str
    last: Run | None = None
    last_success: Run | None = None
    next_at: datetime | None = None
    """When the daemon runs it next; None if no daemon runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is known of a destination, without asking it."""

    destination: str
    newest: CopyRecord | None = None
    """The copy that was confirmed last."""
    seen: Sighting | None = None
    verified_at: datetime | None = None
    """When a backup there was last read back, or restored, and found good."""
    damaged_at: datetime | None = None
    """When one was found damaged, if none was found good since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message that nobody has got yet."""

    channel: str
    event: str
    tries: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All of it, at one moment."""

    set_name: str
    at: datetime
    running: Mapping[str, str | int] = field(default_factory=dict)
    """`operation`, `pid` and `started_at`; empty if nothing runs."""
    operations: tuple[OperationState, ...] = ()
    destinations: tuple[Place, ...] = ()
    problems: tuple[Open, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    runs: tuple[Run, ...] = ()
    """The last ones, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Where a backup set keeps what it knows of itself."""

    history: History
    outbox: Outbox
    lock: SetLock


def look(set_name: str, destinations: Sequence[str], records: Records, now: datetime) -> Status:
    """Put together what is on the disk; no destination is asked.

    Raises:
        BackupdError: the history or the outbox cannot be used.
    """
    history = records.history
    runs = tuple(history.runs(limit=_RUNS)) if is_there(history.path) else ()
    seen = history.sightings() if runs else {}
    return Status(
        set_name=set_name,
        at=now,
        running=records.lock.holder(),
        operations=tuple(
            OperationState(
                operation=operation,
                last=next((run for run in runs if run.operation == operation), None),
                last_success=history.last_success(operation) if runs else None,
            )
            for operation in OPERATIONS
        ),
        destinations=tuple(
            _place(history, name, seen.get(name)) if runs else Place(destination=name)
            for name in destinations
        ),
        problems=open_problems(records.outbox),
        waiting=tuple(
            Waiting(
                channel=each.channel, event=each.message.event, tries=each.tries, error=each.error
            )
            for each in records.outbox.waiting()
        ),
        runs=runs,
    )


def _place(history: History, destination: str, seen: Sighting | None) -> Place:
    copies = history.copies(destination).values()
    proofs = [each for found in history.proofs(destination).values() for each in found]
    good = max((each.at for each in proofs if not each.flaw), default=None)
    damaged = max((each.at for each in proofs if each.flaw), default=None)
    return Place(
        destination=destination,
        newest=max(copies, key=lambda copy: copy.at, default=None),
        seen=seen,
        verified_at=good,
        damaged_at=None if good and damaged and good > damaged else damaged,
    )
