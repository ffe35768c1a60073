"""What makes a retention plan look like an accident, so that it is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from backupd.model import Condition, Outcome
from backupd.retention import Plan, Policy

RECENT = 3
"""So many backups in a row must have failed before nothing more is removed."""


class Refusal(StrEnum):
    """Why a plan is refused; `clean --despite` takes these words."""

    TOO_MANY = "too-many"
    CLOCK = "clock"
    EMPTY_POLICY = "empty-policy"
    FAILING_BACKUPS = "failing-backups"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """One reason not to carry out a plan, and what to do about it."""

    refusal: Refusal
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is known beside the backups themselves."""

    now: datetime
    last_run_at: datetime | None = None
    """When the operation that was noted last began."""
    recent_backups: Sequence[Outcome] = ()
    """How the last backup runs came out, the newest first."""
    max_delete_percent: int = 50
    at_least: int = 4
    """With fewer backups than this, a share of them says nothing."""


def objections(plan: Plan, policy: Policy, known: Circumstances) -> tuple[Objection, ...]:
    """Return everything that speaks against a plan; a plan that removes nothing is harmless."""
    if not plan.removed:
        return ()
    found = (
        _empty_policy(policy),
        _clock(plan, known),
        _failing_backups(plan, known),
        _too_many(plan, known),
    )
    return tuple(objection for objection in found if objection is not None)


def _empty_policy(policy: Policy) -> Objection | None:
    if policy.lengths:
        return None
    return Objection(
        refusal=Refusal.EMPTY_POLICY,
        message="The retention policy keeps nothing: every KEEP_… range is 0.",
        hint="Set at least one of BACKUP_RETENTION__KEEP_ALL_DAYS, …_DAILY_DAYS, …_WEEKLY_WEEKS, "
        "…_MONTHLY_MONTHS, …_YEARLY_YEARS; '--despite empty-policy' cleans once all the same.",
    )


def _clock(plan: Plan, known: Circumstances) -> Objection | None:
    moments = [verdict.backup.created_at for verdict in plan.verdicts]
    if known.last_run_at is not None:
        moments.append(known.last_run_at)
    latest = max(moments, default=known.now)
    if latest <= known.now:
        return None
    what = "the last run" if latest == known.last_run_at else "the newest backup"
    return Objection(
        refusal=Refusal.CLOCK,
        message=f"The clock says {known.now:%Y-%m-%d %H:%M} UTC, which is before {what} "
        f"({latest:%Y-%m-%d %H:%M} UTC), so no age can be trusted.",
        hint="Look at the clock with 'timedatectl'. If the clock is right, and a backup's name is "
        "wrong, move that backup away, or clean once with '--despite clock'.",
    )


def _failing_backups(plan: Plan, known: Circumstances) -> Objection | None:
    runs = known.recent_backups[:RECENT]
    newest = [verdict.backup.condition for verdict in plan.verdicts[:RECENT]]
    if len(runs) == RECENT and all(outcome is Outcome.FAILED for outcome in runs):
        message = f"The last {RECENT} backup runs all failed, so nothing replaces what would go."
    elif len(newest) == RECENT and all(state is Condition.DAMAGED for state in newest):
        message = f"The {RECENT} newest backups are all damaged, so nothing replaces what would go."
    else:
        return None
    return Objection(
        refusal=Refusal.FAILING_BACKUPS,
        message=message,
        hint="Find out why ('backupd status', 'backupd verify'), take a backup that succeeds, and "
        "clean again; '--despite failing-backups' cleans once all the same.",
    )


def _too_many(plan: Plan, known: Circumstances) -> Objection | None:
    total, removed = len(plan.verdicts), len(plan.removed)
    if total < known.at_least or removed * 100 <= known.max_delete_percent * total:
        return None
    return Objection(
        refusal=Refusal.TOO_MANY,
        message=f"{removed} of {total} backups would go at one time, which is more than "
        f"{known.max_delete_percent} %.",
        hint="Read the plan with 'backupd clean --dry-run'. If it is what you want, clean once "
        "with '--despite too-many', or raise BACKUP_RETENTION__MAX_DELETE_PERCENT.",
    )
