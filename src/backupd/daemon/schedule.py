"""What is to be run, decided from due times, the past and the clock; nothing here does anything.

The rules, which `docs/explanation/schedule.md` tells at length:

- A due time is done with when a run for it ended, when it was given up as missed, or when a
  full run by hand succeeded after it. Whatever is due and not done with is wanted.
- Several due times of one operation are one run, for the last of them; the others were missed.
- A due time that passed while nobody looked (the daemon was down, the machine slept) is late.
  Late ones are run first, in the order of `OPERATIONS`; the others in the order of due times.
- A run that died or was stopped is run again: at once after the first time, then later and later.
- What a backup that died had built and not delivered is delivered before anything else is run.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from backupd.cron import CronLine, due_between, next_due
from backupd.model import Scope

OPERATIONS = ("backup", "clean", "monitor", "drill")
"""In the order in which late ones are run: one makes sense after the one before it."""

DELIVERY = "deliver"
"""No due times: it is wanted when a run has left archives in the spool."""

_FURTHEST_BACK = timedelta(days=400)
_SOON = timedelta(minutes=30)
_FIRST_WAIT = timedelta(hours=1)
_LONGEST_WAIT = timedelta(hours=8)
_BELIEVED_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """When which operation is due, and what is done about late ones."""

    lines: Mapping[str, CronLine]
    zone: tzinfo
    jitter: timedelta = timedelta(0)
    seed: str = ""
    """What makes this machine's jitter its own."""
    catch_up: bool = True

    def start_of(self, operation: str, due: datetime) -> datetime:
        """Add the jitter to a due time: always the same for the same due time."""
        text = f"{self.seed} {operation} {due.isoformat()}"
        part = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32
        return due + self.jitter * part

    def next_start(self, operation: str, after: datetime) -> datetime | None:
        """Tell when the operation starts next."""
        due = next_due(self.lines[operation], self.zone, after - self.jitter)
        while due is not None and self.start_of(operation, due) <= after:
            due = next_due(self.lines[operation], self.zone, due)
        return None if due is None else self.start_of(operation, due)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known of one operation: up to when all is done with, and what was tried since."""

    settled: datetime
    unfinished: Sequence[tuple[datetime, datetime]] = ()
    """(due, started at) of each run for a later due time that died or was stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One run that is wanted, for one due time."""

    operation: str
    due: datetime
    not_before: datetime
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Due times of an operation that get no run of their own."""

    operation: str
    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """The decision: what is wanted, the first one first, and what is given up."""

    wanted: tuple[Wanted, ...]
    missed: tuple[Missed, ...]


def believed(moment: datetime, now: datetime) -> bool:
    """Tell whether the past can hold that moment.

    The clock may have been set back a little; what lies more than a day ahead was written while
    it was wrong, and must not keep the daemon from working until then.
    """
    return moment <= now + _BELIEVED_AHEAD


def agenda(
    timetable: Timetable, past: Mapping[str, Past], awake_since: datetime, now: datetime
) -> Agenda:
    """Decide. `awake_since` is since when the daemon has been looking at the clock."""
    wanted: list[Wanted] = []
    missed: list[Missed] = []
    for operation in OPERATIONS:
        known = past[operation]
        passed = _passed(timetable, operation, known.settled, now)
        if not passed:
            continue
        latest, others = passed[-1], passed[:-1]
        late = timetable.start_of(operation, latest) < awake_since
        tries = [started_at for due, started_at in known.unfinished if due == latest]
        if late and _is_given_up(timetable, operation, tries, now):
            others = passed
        else:
            earliest = max([latest, *_earliest(tries)])
            wanted.append(Wanted(operation=operation, due=latest, not_before=earliest, late=late))
        if others:
            missed.append(_missed(operation, others))
    return Agenda(wanted=tuple(sorted(wanted, key=_order)), missed=tuple(missed))


def delivery(past: Past, now: datetime) -> Wanted:
    """Decide when what waits in the spool is delivered: now, unless that died more than once."""
    tries = [started_at for _, started_at in past.unfinished]
    earliest = max([now, *_earliest(tries)])
    return Wanted(operation=DELIVERY, due=now, not_before=earliest, late=True)


def built(past: Past, waiting: Sequence[tuple[datetime, Scope]]) -> list[datetime]:
    """Give the due times whose run died after it had built its archive, which is `waiting`.

    Names of archives tell whole seconds.
    """
    full = [made_at for made_at, scope in waiting if scope is Scope.FULL]
    return [
        due
        for due, started_at in past.unfinished
        if any(made_at >= started_at.replace(microsecond=0) for made_at in full)
    ]


def _passed(
    timetable: Timetable, operation: str, settled: datetime, now: datetime
) -> Sequence[datetime]:
    """Give the due times up to the last whose start is here.

    One before it may start later still, by jitter, where a changed clock makes a period short.
    """
    after = max(settled, now - _FURTHEST_BACK)
    dues = due_between(timetable.lines[operation], timetable.zone, after, now)
    while dues and timetable.start_of(operation, dues[-1]) > now:
        dues.pop()
    return dues


def _is_given_up(
    timetable: Timetable, operation: str, tries: Sequence[datetime], now: datetime
) -> bool:
    """Tell whether a late run is left out: by setting, or for the next one that is near."""
    if not timetable.catch_up:
        return True
    following = timetable.next_start(operation, now)
    return not tries and following is not None and following - now < _SOON


def _earliest(tries: Sequence[datetime]) -> Sequence[datetime]:
    """Wait longer after every try that did not come to its end; not at all after the first."""
    if len(tries) <= 1:
        return ()
    doublings = min(len(tries) - 2, 10)
    return (max(tries) + min(_FIRST_WAIT * 2**doublings, _LONGEST_WAIT),)


def _missed(operation: str, dues: Sequence[datetime]) -> Missed:
    return Missed(operation=operation, first=dues[0], last=dues[-1], count=len(dues))


def _order(wanted: Wanted) -> tuple[bool, int, datetime, int]:
    rank = OPERATIONS.index(wanted.operation)
    return (not wanted.late, rank if wanted.late else 0, wanted.due, rank)
