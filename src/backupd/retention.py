"""The retention policy: which backups stay, which go, and why each of them.

A policy is a few rules, and a backup stays if any one of them keeps it: all of the last days; the
newest of each day, ISO week, month and year within a range; the newest good one; a least number.
Every range ends now, so no rule takes from another, and a wider range only adds.

Full, `--only-db` and `--only-files` backups are three series; each rule looks at one series at a
time, so that none displaces a backup of another. The size cap alone looks at all of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

from backupd.model import Backup, Condition, Scope
from backupd.periods import Bucket, Length, Unit, bucket_name

MEGABYTE = 1_000_000


class Periods(StrEnum):
    """Where the ranges of a policy begin."""

    FROM_NOW = "from-now"
    """Each is counted from now: 7 days, 16 days, 8 weeks, 4 months, 2 years ago."""
    STACKED = "stacked"
    """Each is counted from where the one before it begins, as laravel-backup does."""


class Rule(StrEnum):
    """What decided about a backup."""

    FUTURE = "future"
    PINNED = "pinned"
    NEWEST = "newest"
    ALL = "all"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"
    AT_LEAST = "at least"
    LOCKED = "locked"
    OLD = "old"
    DISPLACED = "displaced"
    SIZE = "size"


_BUCKETS = {
    Rule.DAILY: Bucket.DAY,
    Rule.WEEKLY: Bucket.WEEK,
    Rule.MONTHLY: Bucket.MONTH,
    Rule.YEARLY: Bucket.YEAR,
}
_BY_AGE = frozenset({Rule.ALL, *_BUCKETS})
"""What these keep, the size cap may take."""
_REMOVING = frozenset({Rule.OLD, Rule.DISPLACED, Rule.SIZE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules; 0 turns a rule off, and `max_bytes` None means no size cap."""

    zone: tzinfo
    """Where days, weeks, months and years begin."""
    keep_all_days: int = 7
    keep_daily_days: int = 16
    keep_weekly_weeks: int = 8
    keep_monthly_months: int = 4
    keep_yearly_years: int = 2
    keep_at_least: int = 3
    """How many of a series stay whatever their age and size, good ones first."""
    max_bytes: int | None = 5000 * MEGABYTE
    periods: Periods = Periods.FROM_NOW

    @property
    def lengths(self) -> tuple[tuple[Rule, Length], ...]:
        """How far each rule reaches back, without those that are off, finest first."""
        every = (
            (Rule.ALL, Length(count=self.keep_all_days, unit=Unit.DAYS)),
            (Rule.DAILY, Length(count=self.keep_daily_days, unit=Unit.DAYS)),
            (Rule.WEEKLY, Length(count=self.keep_weekly_weeks, unit=Unit.WEEKS)),
            (Rule.MONTHLY, Length(count=self.keep_monthly_months, unit=Unit.MONTHS)),
            (Rule.YEARLY, Length(count=self.keep_yearly_years, unit=Unit.YEARS)),
        )
        return tuple((rule, length) for rule, length in every if length.count)

    def only_newest(self, count: int) -> "Policy":
        """Return the policy that keeps the `count` newest of each series, and what is pinned."""
        return replace(
            self,
            keep_all_days=0,
            keep_daily_days=0,
            keep_weekly_weeks=0,
            keep_monthly_months=0,
            keep_yearly_years=0,
            keep_at_least=count,
            max_bytes=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to become of one backup, and the reason in words."""

    backup: Backup
    rule: Rule
    reason: str

    @property
    def kept(self) -> bool:
        """Whether the backup stays."""
        return self.rule not in _REMOVING


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A verdict for every backup of one destination, the newest first."""

    verdicts: tuple[Verdict, ...] = ()
    excess_bytes: int = 0
    """By how much the kept ones exceed the size cap, since no more may be removed."""

    @property
    def kept(self) -> tuple[Verdict, ...]:
        """Those that stay."""
        return tuple(verdict for verdict in self.verdicts if verdict.kept)

    @property
    def removed(self) -> tuple[Verdict, ...]:
        """Those that go."""
        return tuple(verdict for verdict in self.verdicts if not verdict.kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """One rule's range: from `start`, which is in it, to now."""

    rule: Rule
    start: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reason:
    rule: Rule
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """The rules on one series, at one moment; it is shown every backup once, the best first."""

    policy: Policy
    ranges: Sequence[Range]
    now: datetime
    taken: set[tuple[Rule, str]] = field(default_factory=set)
    """The days, weeks, months and years that have their backup."""

    def reasons(self, backup: Backup, place: int) -> list[_Reason]:
        """Give every reason that concerns a backup which has `place` better ones before it."""
        by_age = list(self._by_age(backup))
        keeping = [
            *self._whatever_age(backup, place),
            *(reason for reason in by_age if reason.rule not in _REMOVING),
            *self._last_resort(backup, place),
        ]
        return keeping or [*by_age, self._too_old()]

    def _whatever_age(self, backup: Backup, place: int) -> Iterator[_Reason]:
        if backup.pinned:
            yield _Reason(rule=Rule.PINNED, words="pinned")
        if place == 0 and backup.condition is not Condition.DAMAGED:
            yield _Reason(rule=Rule.NEWEST, words="newest")

    def _by_age(self, backup: Backup) -> Iterator[_Reason]:
        local = backup.created_at.astimezone(self.policy.zone)
        for reach in self.ranges:
            if backup.created_at < reach.start:
                continue
            if reach.rule is Rule.ALL:
                yield _Reason(rule=Rule.ALL, words="all")
                continue
            name = bucket_name(_BUCKETS[reach.rule], local)
            if (reach.rule, name) in self.taken:
                yield _Reason(rule=Rule.DISPLACED, words=f"not the newest of {name}")
            else:
                self.taken.add((reach.rule, name))
                yield _Reason(rule=reach.rule, words=f"{reach.rule} {name}")

    def _last_resort(self, backup: Backup, place: int) -> Iterator[_Reason]:
        if place < self.policy.keep_at_least:
            yield _Reason(rule=Rule.AT_LEAST, words=f"at least {self.policy.keep_at_least}")
        if backup.locked_until is not None and backup.locked_until > self.now:
            day = backup.locked_until.astimezone(self.policy.zone).date()
            yield _Reason(rule=Rule.LOCKED, words=f"locked until {day}")

    def _too_old(self) -> _Reason:
        if not self.ranges:
            words = f"not among the {self.policy.keep_at_least} newest"
        else:
            edge = min(reach.start for reach in self.ranges).astimezone(self.policy.zone)
            words = f"older than {edge.date()}"
        return _Reason(rule=Rule.OLD, words=words)


def make_plan(policy: Policy, backups: Iterable[Backup], now: datetime) -> Plan:
    """Decide about all backups of one set at one destination; their keys are unique.

    A backup dated after `now` stays, and counts for nothing else.
    """
    best_first = sorted(backups, key=lambda backup: backup.rank, reverse=True)
    reasons: dict[str, list[_Reason]] = {}
    ranges = ranges_of(policy, now)
    for scope in Scope:
        judge = _Judge(policy=policy, ranges=ranges, now=now)
        series = [each for each in best_first if each.scope is scope and each.created_at <= now]
        for place, backup in enumerate(series):
            reasons[backup.key] = judge.reasons(backup, place)
    future = [_Reason(rule=Rule.FUTURE, words="dated in the future")]
    for backup in best_first:
        reasons.setdefault(backup.key, future)
    excess = _apply_size_cap(policy, reversed(best_first), reasons)
    verdicts = (
        Verdict(backup=backup, rule=first.rule, reason=first.words)
        for backup in sorted(best_first, key=lambda backup: backup.rank[1:], reverse=True)
        for first in reasons[backup.key][:1]
    )
    return Plan(verdicts=tuple(verdicts), excess_bytes=excess)


def ranges_of(policy: Policy, now: datetime) -> tuple[Range, ...]:
    """Return the range of every rule that has one, finest first, on the clock of its zone."""
    ranges = []
    origin = now.astimezone(policy.zone)
    for rule, length in policy.lengths:
        start = length.before(origin)
        ranges.append(Range(rule=rule, start=start.astimezone(UTC)))
        origin = start if policy.periods is Periods.STACKED else origin
    return tuple(ranges)


def _apply_size_cap(
    policy: Policy, worst_first: Iterable[Backup], reasons: dict[str, list[_Reason]]
) -> int:
    """Take what is kept by age alone, the oldest first, until the rest fits.

    Returns the bytes that are still over the cap. In `reasons` those taken get a new one.
    """
    if policy.max_bytes is None:
        return 0
    ordered = list(worst_first)
    total = sum(each.size for each in ordered if reasons[each.key][0].rule not in _REMOVING)
    for backup in ordered:
        if total <= policy.max_bytes:
            break
        if _BY_AGE.issuperset(reason.rule for reason in reasons[backup.key]):
            words = f"over {policy.max_bytes / MEGABYTE:g} MB"
            reasons[backup.key] = [_Reason(rule=Rule.SIZE, words=words)]
            total -= backup.size
    return max(0, total - policy.max_bytes)
