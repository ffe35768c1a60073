"""When a schedule is due: `HH:MM` for every day, or a cron line, as moments in a time zone.

A cron line reads as in crontab(5): Sunday is 0 and 7, and where both the day of the month and the
day of the week are restricted, a day needs to match only one of them.

The clock changes of a zone follow RFC 5545, section 3.3.5. A wall time that does not exist is read
with the offset before the change (02:30 becomes 03:30); one that exists twice means the first. So
each occurrence is one moment. Only a line for every hour of the day counts the repeated hour too.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

ALLOWED = "a time as 01:00, or a cron line as '30 2 * * mon-fri'"

_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[1-9]\d*))?")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905  (reads better)
_WEEKDAYS = "sun mon tue wed thu fri sat".split()  # noqa: SIM905
_ALL_HOURS = 24
_SUNDAY = 7

# No zone ever jumped further than this: a whole day, at the date line.
_FURTHEST_JUMP = timedelta(days=1)
# A line may be due on one 29th of February in eight years (1896-1904, 2096-2104).
_SPANS = (timedelta(days=2), timedelta(days=32), timedelta(days=367), timedelta(days=9 * 366))


@dataclass(frozen=True, slots=True, kw_only=True)
class CronLine:
    """The minutes, hours and days on which something is due; weekdays count from Sunday, 0."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    """Whether the day of the month or the day of the week is enough."""

    def due_on(self, day: date) -> bool:
        """Tell whether anything is due on that date."""
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        matches = of_month or of_week if self.either_day else of_month and of_week
        return matches and day.month in self.months


def parse_schedule(text: str) -> CronLine:
    """Read `HH:MM` or the five fields of a cron line.

    Raises:
        ValueError: it is neither, or never due; the message is what is allowed.
    """
    if match := _TIME_OF_DAY.fullmatch(text):
        text_as_line = f"{int(match[2])} {int(match[1])} * * *"
    else:
        text_as_line = text
    fields = text_as_line.lower().split()
    if len(fields) != 5:  # noqa: PLR2004  (minute, hour, day, month, weekday)
        raise ValueError(ALLOWED)
    minute, hour, day, month, weekday = fields
    line = CronLine(
        text=text,
        minutes=tuple(sorted(_values(minute, 0, 59))),
        hours=tuple(sorted(_values(hour, 0, 23))),
        days=_values(day, 1, 31),
        months=_values(month, 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
        weekdays=frozenset(
            number % _SUNDAY
            for number in _values(weekday, 0, 7, {name: at for at, name in enumerate(_WEEKDAYS)})
        ),
        either_day=not day.startswith("*") and not weekday.startswith("*"),
    )
    if next_due(line, UTC, datetime(2000, 1, 1, tzinfo=UTC)) is None:
        raise ValueError(f"{ALLOWED}; this one is never due")
    return line


def _values(field: str, lowest: int, highest: int, names: Mapping[str, int] = {}) -> frozenset[int]:
    """Read one field: `*`, numbers, names and ranges, each with an optional step, by commas."""
    values: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(ALLOWED)
        first = _number(match["first"], names, lowest)
        last = _number(match["last"], names, first if match["first"] else highest)
        if match["first"] and match["step"] and not match["last"]:
            raise ValueError(f"{ALLOWED}; a step needs * or a range before it")
        if not lowest <= first <= last <= highest:
            raise ValueError(ALLOWED)
        values.update(range(first, last + 1, int(match["step"] or 1)))
    return frozenset(values)


def _number(text: str | None, names: Mapping[str, int], default: int) -> int:
    if text is None:
        return default
    if text in names:
        return names[text]
    if not text.isdecimal():
        raise ValueError(ALLOWED)
    return int(text)


def due_between(line: CronLine, zone: tzinfo, after: datetime, until: datetime) -> list[datetime]:
    """Give every moment (UTC) at which the line is due, later than `after`, not than `until`."""
    if until <= after:
        return []
    first = after.astimezone(zone).date() - _FURTHEST_JUMP
    last = until.astimezone(zone).date() + _FURTHEST_JUMP
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    found = {moment for day in days if line.due_on(day) for moment in _moments(line, day, zone)}
    return sorted(moment for moment in found if after < moment <= until)


def next_due(line: CronLine, zone: tzinfo, after: datetime) -> datetime | None:
    """Give the first moment (UTC) later than `after` at which the line is due."""
    for span in _SPANS:
        if found := due_between(line, zone, after, after + span):
            return found[0]
    return None


def shortest_period(line: CronLine) -> timedelta:
    """Give the shortest time between two due times, on a clock that is never changed."""
    times = [
        timedelta(hours=hour, minutes=minute) for hour in line.hours for minute in line.minutes
    ]
    first = date(2000, 1, 1)
    days = [first + timedelta(days=number) for number in range(_SPANS[-1].days)]
    due_days = [day for day in days if line.due_on(day)]
    between_days = (later - earlier for earlier, later in pairwise(due_days))
    over_night = min(between_days, default=_SPANS[-1]) + times[0] - times[-1]
    return min([over_night, *(later - earlier for earlier, later in pairwise(times))])


def _moments(line: CronLine, day: date, zone: tzinfo) -> Iterator[datetime]:
    for hour in line.hours:
        for minute in line.minutes:
            wall = datetime.combine(day, time(hour, minute), tzinfo=zone)
            moment = wall.astimezone(UTC)
            yield moment
            # In a gap fold=1 is the earlier moment, in a repeated hour the later one (PEP 495).
            again = wall.replace(fold=1).astimezone(UTC)
            if len(line.hours) == _ALL_HOURS and again > moment:
                yield again
