"""`backupd list --calendar`: a picture of the days, weeks, months and years that are covered."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from backupd.operations.survey import Surveyed
    from backupd.retention import Policy

_LABEL = 10
_CELLS_IN_LINE = 5
_MOST = 9


def print_calendar(surveyed: "Surveyed", policy: "Policy", now: datetime) -> None:
    """Draw one destination in 80 columns."""
    from backupd.coverage import coverage  # noqa: PLC0415

    health = surveyed.health
    there = (verdict.backup for verdict in surveyed.plan.verdicts)
    covered = coverage(policy, there, now)
    click.secho(f"{health.set_name} at {health.destination}", bold=True)
    click.echo(f"{'':{_LABEL}}  Mo Tu We Th Fr Sa Su      ■ covered  2…9 so many  + more  · none")
    for line in _weeks_of_days(covered.days):
        click.echo(line)
    for label, cells in (
        ("Weeks", covered.weeks),
        ("Months", covered.months),
        ("Years", covered.years),
    ):
        for line in _cells(label, cells):
            click.echo(line)
    click.echo()


def _weeks_of_days(days: Sequence[tuple[date, int]]) -> Iterator[str]:
    """Give a line for each week, with a mark for each of its days that is in the range."""
    for (year, week), of_week in groupby(days, key=lambda each: each[0].isocalendar()[:2]):
        counts = {day.isoweekday(): count for day, count in of_week}
        marks = (f" {_mark(counts[day])}" if day in counts else "  " for day in range(1, 8))
        yield f"{f'{year}-W{week:02}':{_LABEL}}  " + " ".join(marks).rstrip()


def _cells(label: str, cells: Sequence[tuple[str, int]]) -> Iterator[str]:
    for start in range(0, len(cells), _CELLS_IN_LINE):
        drawn = (
            f"{_mark(min(count, 1))} {name:8}"
            for name, count in cells[start : start + _CELLS_IN_LINE]
        )
        yield f"{'' if start else label:{_LABEL}}   " + _joined(drawn)


def _joined(cells: Iterable[str]) -> str:
    return "   ".join(cells).rstrip()


def _mark(count: int) -> str:
    if count == 0:
        return click.style("·", fg="red")
    return click.style("■" if count == 1 else str(count) if count <= _MOST else "+", fg="green")
