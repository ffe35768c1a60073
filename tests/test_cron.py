"""Due times against an oracle that only ever asks what the wall clock shows."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupd.cron import due_between, next_due, parse_schedule, shortest_period

QUARTER = timedelta(minutes=15)

# (zone, first year): each with its own way of changing the clock.
ZONES = (
    ("Europe/Paris", 2024),
    ("America/New_York", 2024),
    ("America/St_Johns", 2024),
    ("America/Havana", 2024),  # at midnight: 00:00 becomes 01:00
    ("America/Santiago", 2024),  # at midnight, backwards into the day before
    ("Australia/Lord_Howe", 2024),  # by half an hour
    ("Antarctica/Troll", 2024),  # by two hours
    ("Africa/Casablanca", 2024),  # around Ramadan, twice a year otherwise than the others
    ("Asia/Kolkata", 2024),  # never
    ("Pacific/Apia", 2010),  # left out 30 December 2011
)

LINES = ("01:00", "02:00", "02:30", "03:00", "00:00", "00:30", "23:45", "0 4 1 * *", "15 1 * * 0")


def walls(zone: ZoneInfo, first: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Give every quarter of an hour as (moment, what the wall clock shows)."""
    moment = first
    while moment < until:
        yield moment, moment.astimezone(zone).replace(tzinfo=None)
        moment += QUARTER


def wanted_walls(line: str, first: date, until: date) -> Iterator[datetime]:
    """Read the few lines of this test without the code under test."""
    day = first
    while day < until:
        match line:
            case "0 4 1 * *":
                if day.day == 1:
                    yield datetime.combine(day, time(4))
            case "15 1 * * 0":
                if day.isoweekday() == 7:
                    yield datetime.combine(day, time(1, 15))
            case _:
                yield datetime.combine(day, time.fromisoformat(line))
        day += timedelta(days=1)


@cache
def shown_and_jumps(
    zone: ZoneInfo, year: int
) -> tuple[dict[datetime, datetime], list[tuple[datetime, datetime, datetime]]]:
    """Walk three years: when each wall time is first seen, and where the wall clock jumps."""
    first, until = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 3, 1, 1, tzinfo=UTC)
    shown: dict[datetime, datetime] = {}
    jumps: list[tuple[datetime, datetime, datetime]] = []
    before: datetime | None = None
    for moment, wall in walls(zone, first - timedelta(days=3), until + timedelta(days=3)):
        shown.setdefault(wall, moment)
        if before is not None and wall - before > QUARTER:
            jumps.append((before, wall, moment))
        before = wall
    return shown, jumps


def oracle(line: str, zone: ZoneInfo, year: int) -> list[datetime]:
    """Find the first moment that shows each wanted wall time, or lies as far into a gap."""
    first, until = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 3, 1, 1, tzinfo=UTC)
    shown, jumps = shown_and_jumps(zone, year)
    found = set()
    for wall in wanted_walls(
        line, (first - timedelta(days=2)).date(), (until + timedelta(days=2)).date()
    ):
        if wall in shown:
            found.add(shown[wall])
            continue
        start, _, moment = next(each for each in jumps if each[0] < wall < each[1])
        found.add(moment - QUARTER + (wall - start))
    return sorted(each for each in found if first < each <= until)


@pytest.mark.parametrize(("zone", "year"), ZONES)
def test_every_due_time_of_three_years_is_the_oracles(zone: str, year: int) -> None:
    """Ten zones, three years, nine schedules, both clock changes: each occurrence once."""
    first, until = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 3, 1, 1, tzinfo=UTC)
    for text in LINES:
        line, place = parse_schedule(text), ZoneInfo(zone)
        assert due_between(line, place, first, until) == oracle(text, place, year), text


@pytest.mark.parametrize(("zone", "year"), ZONES)
def test_going_from_one_due_time_to_the_next_meets_each_once(zone: str, year: int) -> None:
    first, until = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 3, 1, 1, tzinfo=UTC)
    line, place = parse_schedule("02:30"), ZoneInfo(zone)
    walked, moment = [], next_due(line, place, first)
    while moment is not None and moment <= until:
        walked.append(moment)
        moment = next_due(line, place, moment)
    assert walked == due_between(line, place, first, until)


def test_an_hourly_line_does_not_pause_for_the_repeated_hour() -> None:
    line, zone = parse_schedule("0 * * * *"), ZoneInfo("Europe/Paris")
    night = datetime(2026, 10, 24, 22, tzinfo=UTC)
    found = due_between(line, zone, night, night + timedelta(hours=6))
    assert found == [night + timedelta(hours=number) for number in range(1, 7)]


def test_an_hourly_line_is_due_once_an_hour_over_a_gap() -> None:
    for zone in ("Europe/Paris", "Australia/Lord_Howe"):
        line = parse_schedule("30 * * * *")
        first = datetime(2026, 1, 1, tzinfo=UTC)
        found = due_between(line, ZoneInfo(zone), first, first + timedelta(days=365))
        gaps = {later - sooner for sooner, later in pairwise(found)}
        assert gaps <= {timedelta(minutes=30), timedelta(hours=1), timedelta(minutes=90)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 3 * * 0", "2026-03-01"),  # a Sunday, as in crontab(5)
        ("0 3 * * 7", "2026-03-01"),
        ("0 3 * * sun", "2026-03-01"),
        ("0 3 * * mon-fri", "2026-03-02"),
        ("0 3 10-12,20 3 *", "2026-03-10"),
        ("0 3 */7 jun *", "2026-06-01"),
        ("0 3 13 * fri", "2026-03-06"),  # either the 13th or a Friday
        ("0 3 29 feb *", "2028-02-29"),
        ("0 3 31 * *", "2026-03-31"),
    ],
)
def test_a_cron_line_reads_as_crontab_5_says(text: str, expected: str) -> None:
    found = next_due(parse_schedule(text), UTC, datetime(2026, 3, 1, tzinfo=UTC))
    assert found == datetime.fromisoformat(f"{expected}T03:00:00+00:00")


@pytest.mark.parametrize(
    "text",
    [
        "", "1:00", "24:00", "01:60", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
        "* * * * 8", "* * * *", "* * * * * *", "@daily", "5-3 * * * *", "*/0 * * * *",
        "a * * * *", "* * * * mon-sun", "0 0 31 2 *", "0 0 30 feb *", "1,,2 * * * *", "-1 * * * *",
        "5/2 * * * *",
    ],
)  # fmt: skip
def test_what_is_no_schedule_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="a time as 01:00"):
        parse_schedule(text)


@given(st.text(alphabet="0123456789*/,-: monfebx", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        line = parse_schedule(text)
    except ValueError:
        return
    assert next_due(line, UTC, datetime(2026, 1, 1, tzinfo=UTC)) is not None


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.timedeltas(timedelta(0), timedelta(days=40)),
    st.timedeltas(timedelta(0), timedelta(days=40)),
    st.sampled_from(LINES),
    st.sampled_from([zone for zone, _ in ZONES]),
)
def test_two_spans_have_what_the_whole_has(
    first: datetime, one: timedelta, two: timedelta, text: str, zone: str
) -> None:
    """Looking often or seldom finds the same: nothing twice and nothing lost between looks."""
    line, place = parse_schedule(text), ZoneInfo(zone)
    middle, last = first + one, first + one + two
    whole = due_between(line, place, first, last)
    parts = due_between(line, place, first, middle) + due_between(line, place, middle, last)
    assert parts == whole


@pytest.mark.parametrize(
    ("line", "period"),
    [
        ("01:00", timedelta(days=1)),
        ("*/15 * * * *", timedelta(minutes=15)),
        ("0 1,4,23 * * *", timedelta(hours=2)),  # over midnight
        ("50 23 1 * *", timedelta(days=28)),
        ("0 4 1,31 * *", timedelta(days=1)),
        ("0 4 * * mon,thu", timedelta(days=3)),
        ("0 0 29 2 *", timedelta(days=4 * 365 + 1)),
        ("0 0 29 2 */3", timedelta(days=9 * 366)),  # once in nine years
    ],
)
def test_the_shortest_period_of_a_line(line: str, period: timedelta) -> None:
    assert shortest_period(parse_schedule(line)) == period


@given(
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=3),
    hours=st.sets(st.integers(0, 23), min_size=1, max_size=3),
    days=st.sets(st.integers(1, 28), min_size=1, max_size=5),
)
def test_no_two_due_times_are_nearer_than_the_shortest_period(
    minutes: set[int], hours: set[int], days: set[int]
) -> None:
    fields = [",".join(map(str, each)) for each in (minutes, hours, days)]
    line = parse_schedule(" ".join([*fields, "* *"]))
    first = datetime(2001, 1, 1, tzinfo=UTC)
    dues = due_between(line, UTC, first, first + timedelta(days=366))
    assert min(later - earlier for earlier, later in pairwise(dues)) == shortest_period(line)
