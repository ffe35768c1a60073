"""Which days, weeks, months and years within the policy's ranges have a good backup."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from backupd.model import Backup, Condition
from backupd.periods import Bucket, bucket_name
from backupd.retention import Policy, Rule, ranges_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """For each kind of period, from the oldest to the present one, its name and its backups."""

    days: tuple[tuple[date, int], ...]
    weeks: tuple[tuple[str, int], ...]
    months: tuple[tuple[str, int], ...]
    years: tuple[tuple[str, int], ...]


def coverage(policy: Policy, backups: Iterable[Backup], now: datetime) -> Coverage:
    """Count the good backups of every period that a rule reaches into."""
    good = [
        backup.created_at.astimezone(policy.zone)
        for backup in backups
        if backup.condition is not Condition.DAMAGED and backup.created_at <= now
    ]
    starts = {each.rule: each.start.astimezone(policy.zone) for each in ranges_of(policy, now)}
    today = now.astimezone(policy.zone)
    first_day = min(
        (starts[rule] for rule in (Rule.ALL, Rule.DAILY) if rule in starts), default=today
    )
    per_day = Counter(moment.date() for moment in good)

    def counted(rule: Rule, bucket: Bucket) -> tuple[tuple[str, int], ...]:
        counts = Counter(bucket_name(bucket, moment) for moment in good)
        names = dict.fromkeys(
            bucket_name(bucket, day) for day in _days(starts.get(rule, today), today)
        )
        return tuple((name, counts[name]) for name in names)

    return Coverage(
        days=tuple((day.date(), per_day[day.date()]) for day in _days(first_day, today)),
        weeks=counted(Rule.WEEKLY, Bucket.WEEK),
        months=counted(Rule.MONTHLY, Bucket.MONTH),
        years=counted(Rule.YEARLY, Bucket.YEAR),
    )


def _days(first: datetime, last: datetime) -> Iterator[datetime]:
    """Give a moment of every day on the calendar from first to last."""
    for offset in range((last.date() - first.date()).days + 1):
        yield datetime.combine(first.date() + timedelta(days=offset), last.timetz())
