"""How far back a retention rule reaches, and in which day, week, month or year a time lies."""

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_EARLIEST = datetime(2, 1, 1, tzinfo=UTC)
"""No range reaches back further; a year beside the calendar's end leaves room for any zone."""


class Unit(StrEnum):
    """What the length of a range is counted in."""

    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"
    YEARS = "years"


class Bucket(StrEnum):
    """A span of the calendar of which one backup is to stay."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How far a range reaches back; 0 is not at all."""

    count: int
    unit: Unit

    def before(self, local: datetime) -> datetime:
        """Go back on the clock and calendar of `local`'s zone.

        The 31st becomes the last day of a shorter month. It never goes back beyond year 2.
        """
        earliest = _EARLIEST.astimezone(local.tzinfo)
        if self.unit in {Unit.DAYS, Unit.WEEKS}:
            days = self.count * (7 if self.unit is Unit.WEEKS else 1)
            reach = local.toordinal() - earliest.toordinal()
            return local - timedelta(days=days) if days < reach else earliest
        back = self.count * (12 if self.unit is Unit.YEARS else 1)
        year, month = divmod(local.year * 12 + local.month - 1 - back, 12)
        if year <= earliest.year:
            return earliest
        day = min(local.day, calendar.monthrange(year, month + 1)[1])
        return local.replace(year=year, month=month + 1, day=day)


def bucket_name(bucket: Bucket, local: datetime) -> str:
    """Name the day, ISO week (ISO 8601, by its own year), month or year of a local time."""
    if bucket is Bucket.WEEK:
        year, week, _ = local.isocalendar()
        return f"{year:04}-W{week:02}"
    length = {Bucket.DAY: 10, Bucket.MONTH: 7, Bucket.YEAR: 4}[bucket]
    return local.date().isoformat()[:length]
