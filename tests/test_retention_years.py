"""Five years of backups, with a clean every day: what the policy promises is there every day."""

import runpy
from bisect import bisect_left
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from backupd.retention import Periods, Policy, Rule, ranges_of
from fakes.years import Years

UNITS: dict[Rule, Callable[[date], object]] = {
    Rule.DAILY: lambda day: day,
    Rule.WEEKLY: lambda day: day - timedelta(days=day.weekday()),
    Rule.MONTHLY: lambda day: (day.year, day.month),
    Rule.YEARLY: lambda day: day.year,
}
LONGEST = {Rule.ALL: 1, Rule.DAILY: 1, Rule.WEEKLY: 7, Rule.MONTHLY: 31, Rule.YEARLY: 366}
"""Days in one period, at the most."""
MOST = {Periods.FROM_NOW: 28, Periods.STACKED: 39}
"""Backups held at one time, at the most; each further one a day adds those of seven days."""


def uncovered(years: Years, now: datetime) -> list[str]:
    """Name every period in a range of which a backup was taken and none is left."""
    missing = []
    held = {backup.created_at for backup in years.held}
    for span in ranges_of(years.policy, now):
        reach = years.taken[bisect_left(years.taken, span.start) :]
        if span.rule is Rule.ALL:
            missing += [f"{when} of all" for when in reach if when not in held]
            continue
        unit = UNITS[span.rule]
        there = {unit(years.day_of[when]) for when in held if when >= span.start}
        wanted = {unit(years.day_of[when]) for when in reach}
        missing += [f"{span.rule} {period}" for period in wanted - there]
    return missing


def too_wide(years: Years, now: datetime) -> list[str]:
    """Name every gap in a range that is longer than one period and the longest wait in it."""
    gaps = []
    held = [backup.created_at for backup in years.held]
    for span in ranges_of(years.policy, now):
        inside = held[bisect_left(held, span.start) :]
        for older, newer in pairwise(inside):
            first, last = bisect_left(years.taken, older), bisect_left(years.taken, newer)
            allowed = timedelta(days=LONGEST[span.rule]) + max(years.waits[first:last])
            if newer - older > allowed:
                gaps.append(f"{span.rule}: {older} to {newer}")
    return gaps


@pytest.mark.parametrize(
    ("zone", "times"),
    [("Europe/Paris", (time(1, 0),)), ("America/New_York", (time(2, 30), time(13, 0)))],
    ids=["daily in Paris", "twice daily in New York"],
)
@pytest.mark.parametrize("periods", Periods)
def test_every_period_that_the_policy_promises_is_covered_on_every_day(
    periods: Periods, zone: str, times: tuple[time, ...]
) -> None:
    years = Years(policy=Policy(zone=ZoneInfo(zone), periods=periods), times=times)
    most = 0
    for now in years.days():
        assert uncovered(years, now) == []
        assert too_wide(years, now) == []
        most = max(most, len(years.held))
    assert most <= MOST[periods] + 7 * (len(times) - 1)


def test_the_drawing_in_the_docs_is_what_comes_out() -> None:
    script = Path(__file__).parent.parent / "scripts" / "draw_retention.py"
    drawn = runpy.run_path(str(script))
    assert drawn["TARGET"].read_text(encoding="utf-8") == drawn["drawing"]()
