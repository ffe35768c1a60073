"""What the end of an operation means for people: what is wrong, and what is known to be well."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from backupd.errors import BackupdError, Interrupted
from backupd.events import OperationEnded, OperationFailed, OperationStarted
from backupd.model import Outcome
from backupd.telling.findings import found_in
from backupd.telling.problems import Cause, Problem, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One operation that ended, as people are told of it."""

    run_id: str
    operation: str
    started_at: datetime
    at: datetime
    outcome: Outcome
    problems: tuple[Problem, ...] = ()
    checked: tuple[str, ...] = ()
    """The keys, or beginnings of keys, of all problems that would have been found."""
    holding: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By destination, all archives that it was seen to hold."""
    rows: tuple[Row, ...] = ()
    figures: Mapping[str, int | str] = field(default_factory=dict)
    """`backup`, `bytes`, `members` and the like."""


def account_of(event: OperationEnded | OperationFailed) -> Account | None:
    """Say what the end of an operation means; None if nobody needs to hear of it."""
    if isinstance(event, OperationEnded):
        return _account(event)
    if isinstance(event.error, Interrupted):
        return None  # whoever stopped it knows
    if isinstance(event.error, BackupdError):
        text, hint = str(event.error), event.error.hint
    else:
        text = f"A bug in backupd stopped it ({type(event.error).__name__})."
        hint = f"The log has the details: journalctl -u backupd | grep {event.run_id}"
    return _broken(event, event.started_at, event.at, Problem(key="", text=text, hint=hint))


def account_of_dead(started: OperationStarted, noticed_at: datetime) -> Account:
    """Say what it means that an operation began and its end was never announced."""
    text = "It was cut off in the middle: the program was killed, or the machine went down."
    hint = "The log before that moment tells more: journalctl -b -1 -u backupd"
    return _broken(started, started.at, noticed_at, Problem(key="", text=text, hint=hint))


def account_of_noted(
    started: OperationStarted, ended_at: datetime, outcome: Outcome, error: str
) -> Account:
    """Say what it means that an operation ended so; its report is not to be had any more."""
    text = error or f"The operation '{started.operation}' ended {outcome}."
    account = _broken(started, started.at, ended_at, Problem(key="", text=text))
    if outcome is Outcome.SUCCEEDED:
        return replace(account, outcome=outcome, problems=())
    return replace(account, outcome=outcome)


def account_of_missed(
    operation: str, first: datetime, last: datetime, count: int, at: datetime
) -> Account:
    """Say what it means that an operation was due, once or more, and was not run."""
    times = f"at {first:%Y-%m-%d %H:%M} UTC"
    if count > 1:
        times = f"{count} times between {first:%Y-%m-%d %H:%M} and {last:%Y-%m-%d %H:%M} UTC"
    problem = Problem(
        key=f"missed:{operation}",
        text=f"The {operation} that was due {times} was not run.",
        hint="Look why the machine or the daemon was down: journalctl --list-boots",
    )
    return Account(
        run_id=f"{last:%Y%m%dT%H%M%SZ}-missed-{operation}",
        operation="schedule",
        started_at=first,
        at=at,
        outcome=Outcome.FAILED,
        problems=(problem,),
    )


def _broken(
    event: OperationStarted | OperationFailed, started_at: datetime, at: datetime, what: Problem
) -> Account:
    whole = f"{event.operation}:*"
    cause = Cause.BROKEN if event.operation == "backup" else Cause.OWN
    return Account(
        run_id=event.run_id,
        operation=event.operation,
        started_at=started_at,
        at=at,
        outcome=Outcome.FAILED,
        problems=(Problem(key=whole, cause=cause, text=what.text, hint=what.hint),),
        checked=(whole,),
    )


def _account(event: OperationEnded) -> Account:
    found = found_in(event.report, event.operation, event.set_name)
    return Account(
        run_id=event.run_id,
        operation=event.operation,
        started_at=event.started_at,
        at=event.at,
        outcome=event.report.outcome,
        problems=found.problems,
        checked=found.checked,
        holding=found.holding,
        rows=found.rows,
        figures=found.figures,
    )
