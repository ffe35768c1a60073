"""Starts what is due, one operation at a time, and remembers what became of each due time."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from backupd.cron import parse_schedule
from backupd.daemon.diary import Diary
from backupd.daemon.forecast import warn_of_removals
from backupd.daemon.operation import PROGRAM, OperationProcess, start
from backupd.daemon.schedule import (
    DELIVERY,
    OPERATIONS,
    Agenda,
    Past,
    Timetable,
    Wanted,
    agenda,
    built,
    delivery,
)
from backupd.errors import ArchiveError, BackupdError
from backupd.events import OperationFailed, RunsMissed
from backupd.model import Outcome, Scope
from backupd.ports import Observer
from backupd.wiring import App

_log = structlog.get_logger("backupd")

_ASLEEP = _TRIED_AGAIN = timedelta(minutes=5)
_LOCKED, _INTERRUPTED = 75, 130
_LOOKED_BACK = 20


def timetable_of(app: App) -> Timetable:
    """Read the timetable out of the settings."""
    section = app.settings.schedule
    return Timetable(
        lines={name: parse_schedule(getattr(section, name)) for name in OPERATIONS},
        zone=app.zone,
        jitter=timedelta(seconds=section.jitter),
        seed=f"{os.uname().nodename} {app.set_name}",
        catch_up=section.catch_up,
    )


class Scheduler:
    """Looks at the clock when `tick` is called; holds no operation's memory, only its process."""

    def __init__(
        self,
        app: App,
        observers: Callable[[App], Observer],
        process: Mapping[str, str],
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.running: OperationProcess | None = None
        self.blocked_by = ""
        self._observers = observers
        self._process = process
        self._program = program
        self._awake_since = self._last_look = app.clock.now()
        self._nothing_before: datetime | None = None
        self._run_was_cut = True  # nobody knows how the daemon before this one ended
        self._delivering: Sequence[tuple[datetime, Scope]] = ()
        self.follow(app)
        self._report_the_dead()

    def follow(self, app: App) -> None:
        """Go by these settings from now on; a running operation goes on by its own.

        Raises:
            BackupdError: the state directory cannot be written to.
        """
        timetable = timetable_of(app)
        diary = Diary(app.state / "diary.sqlite")
        now = app.clock.now()
        for operation in OPERATIONS:
            diary.begin(operation, f"{timetable.lines[operation].text} ({app.zone.key})", now)
        diary.begin(DELIVERY, "after a run that was cut", now)
        self.app, self.timetable, self.diary = app, timetable, diary
        self._observe = self._observers(app)
        self._nothing_before = None

    def forecast(self, old: App) -> None:
        """Warn if the settings that are followed now would remove more than the old ones."""
        warn_of_removals(old.loaded, self.app.loaded, self._process, self._program)

    @property
    def stall_limit(self) -> float:
        """For how many seconds a running operation may show no progress."""
        return self.app.settings.schedule.stall_seconds

    @property
    def is_stalled(self) -> bool:
        """Tell whether the running operation has shown no progress for too long."""
        return self.running is not None and self.running.is_stalled(self.stall_limit)

    def tick(self) -> None:
        """See how the running operation does; if there is none, start the next that is due."""
        now = self.app.clock.now()
        if now - self._last_look > _ASLEEP:
            _log.info("nobody looked at the clock for a while", since=self._last_look.isoformat())
            self._awake_since = now
        elif now < self._last_look:
            self._awake_since = min(self._awake_since, now)
            self._nothing_before = None
        self._last_look = now
        try:
            self.collect()
            if self.running is None and not self._waits(now):
                self._start_next(now)
        except BackupdError as error:  # a disk that is full, say, will not be so for ever
            _log.error(f"nothing can be started: {error}", hint=error.hint)
            self._nothing_before = now + _TRIED_AGAIN

    def _waits(self, now: datetime) -> bool:
        return self._nothing_before is not None and now < self._nothing_before

    def collect(self) -> None:
        """Take what the running operation has written, and its end if it has ended."""
        status = self.running.take() if self.running else None
        if self.running and status is not None:
            self._ended(self.running, status, self.app.clock.now())

    def seconds_to_next(self) -> float:
        """Tell in how many seconds something is to be done, as far as the clock knows."""
        if self.running is not None or self._nothing_before is None:
            return float("inf")
        return max((self._nothing_before - self.app.clock.now()).total_seconds(), 0)

    def _start_next(self, now: datetime) -> None:
        decided = self.decide(now)
        self._run_was_cut = DELIVERY in {wanted.operation for wanted in decided.wanted}
        for missed in decided.missed:
            self._observe(
                RunsMissed(
                    operation=missed.operation,
                    set_name=self.app.set_name,
                    first=missed.first,
                    last=missed.last,
                    count=missed.count,
                    at=now,
                )
            )
            self.diary.given_up(missed.operation, missed.last, now)  # after it is told
        ready = [wanted for wanted in decided.wanted if wanted.not_before <= now]
        self.blocked_by = ""
        if not ready:
            self._nothing_before = min(
                [*self.next_starts(now).values(), *(each.not_before for each in decided.wanted)],
                default=None,
            )
        elif holder := self.app.lock.holder():
            self.blocked_by = f"{holder['operation']} (pid {holder['pid']})"
        else:
            self._start(ready[0], now)

    def decide(self, now: datetime) -> Agenda:
        """Decide from what is known now; what a run that was cut has built is delivered first."""
        past = {operation: self._past(operation, now) for operation in OPERATIONS}
        decided = agenda(self.timetable, past, self._awake_since, now)
        if not self._left_in_spool():
            return decided
        first = delivery(self.diary.past(DELIVERY, now), now)
        return replace(decided, wanted=(first, *decided.wanted))

    def _left_in_spool(self) -> Sequence[tuple[datetime, Scope]]:
        """Look what waits for its delivery, if a run may have been cut since somebody looked."""
        if self._run_was_cut:
            with suppress(ArchiveError):  # the next backup will say what is wrong with the spool
                return self.app.open_spool().waiting()
        return ()

    def next_starts(self, now: datetime) -> dict[str, datetime]:
        """Tell when each operation starts next, the first one first."""
        starts = {operation: self.timetable.next_start(operation, now) for operation in OPERATIONS}
        known = {operation: at for operation, at in starts.items() if at is not None}
        return dict(sorted(known.items(), key=lambda item: item[1]))

    def _past(self, operation: str, now: datetime) -> Past:
        """A full run by hand that succeeded counts for the due times before it."""
        past = self.diary.past(operation, now)
        by_hand = [
            run.started_at
            for run in self.app.history.runs(operation, limit=_LOOKED_BACK)
            if run.outcome is Outcome.SUCCEEDED and run.facts.get("scope", "full") == "full"
            if run.started_at <= now
        ]
        settled = max([past.settled, *by_hand])
        return Past(
            settled=settled, unfinished=[each for each in past.unfinished if each[0] > settled]
        )

    def _start(self, wanted: Wanted, now: datetime) -> None:
        self._delivering = self._left_in_spool()
        try:
            self.diary.started(wanted.operation, wanted.due, now)
        except BackupdError as error:
            self._failed(wanted.operation, now, now, f"It was not started: {error}")
            raise
        _log_start(wanted, now, len(self._delivering))
        try:
            self.running = start(wanted, now, self.app.loaded.values, self._process, self._program)
        except OSError as error:
            self.diary.ended(wanted.operation, wanted.due)
            self._failed(wanted.operation, now, now, f"It could not be started: {error.strerror}.")

    def _ended(self, running: OperationProcess, status: int, now: datetime) -> None:
        running.close()
        self.running, self._nothing_before = None, None
        operation, due = running.wanted.operation, running.wanted.due
        if status == _LOCKED:
            self.diary.withdrawn(operation, due, running.started_at)
        elif self._is_recorded(running) or 0 <= status != _INTERRUPTED:
            self._settle(operation, due, now)  # whatever ended it, ended it after its work
        else:
            self._run_was_cut = True
            if status < 0 and not running.stop_asked:
                what = f"It was killed by signal {-status}."
                self._failed(operation, running.started_at, now, what, running.run_id)

    def _settle(self, operation: str, due: datetime, now: datetime) -> None:
        """Note that a run is done with; a delivery is the end of the backup that was cut in it."""
        self.diary.ended(operation, due)
        if operation == DELIVERY:
            for each in built(self.diary.past("backup", now), self._delivering):
                self.diary.ended("backup", each)
        if operation in {DELIVERY, "backup"}:
            self._run_was_cut = False

    def _is_recorded(self, running: OperationProcess) -> bool:
        """Tell whether the operation noted its own end, and that it was not stopped before it."""
        known = self.app.history.runs(running.wanted.operation, limit=_LOOKED_BACK)
        return any(
            run.run_id == running.run_id and run.outcome is not Outcome.FAILED for run in known
        )

    def _failed(
        self, operation: str, started_at: datetime, now: datetime, what: str, run_id: str = ""
    ) -> None:
        """Announce the end of an operation that could not announce it itself."""
        self._observe(
            OperationFailed(
                run_id=run_id or f"{started_at:%Y%m%dT%H%M%SZ}",
                operation=operation,
                set_name=self.app.set_name,
                started_at=started_at,
                at=now,
                error=BackupdError(what, hint="The log before this line may tell why."),
            )
        )

    def _report_the_dead(self) -> None:
        """Announce the operations that died together with the daemon, once.

        One that outlived it holds the lock, and announces its end itself.
        """
        if self.app.lock.holder():
            return
        now = self.app.clock.now()
        for operation in (DELIVERY, *OPERATIONS):
            known = self.app.history.runs(operation, limit=_LOOKED_BACK)
            last_known = max((run.started_at for run in known), default=None)
            for _, at in self.diary.past(operation, now).unfinished:
                if last_known is None or last_known < at:
                    self._failed(operation, at, now, "It died together with the daemon.")


def _log_start(wanted: Wanted, now: datetime, archives: int) -> None:
    if wanted.operation == DELIVERY:
        _log.info("archives wait in the spool, and a run may have been cut", archives=archives)
        return
    why = {"late_by_minutes": int((now - wanted.due).total_seconds() // 60)}
    _log.info(
        f"{wanted.operation} is due", due=wanted.due.isoformat(), **why if wanted.late else {}
    )
