"""`backupd schedule`: when every operation runs next."""

from dataclasses import dataclass
from datetime import datetime

import click

from backupd.cli.invocation import Invocation, global_options
from backupd.cli.render import print_json, table

_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One operation's schedule, and its next times."""

    operation: str
    schedule: str
    timezone: str
    next_runs: tuple[datetime, ...]


@click.command()
@global_options
@click.pass_obj
def schedule(invocation: Invocation) -> int:
    """Show the next times of every operation, with the zone."""
    from backupd.daemon.scheduler import timetable_of  # noqa: PLC0415  (costs 0.4 s)

    app = invocation.app()
    timetable = timetable_of(app)
    rows = []
    for operation, line in timetable.lines.items():
        times: list[datetime] = []
        after = app.clock.now()
        while len(times) < _SHOWN and (at := timetable.next_start(operation, after)):
            times.append(at)
            after = at
        zone = app.zone.key
        rows.append(
            Row(operation=operation, schedule=line.text, timezone=zone, next_runs=tuple(times))
        )
    if invocation.json:
        print_json(rows)
        return 0
    headings = ("Operation", "Schedule", "Next", "Then", "Then")
    cells = [
        (
            row.operation,
            row.schedule,
            *(f"{at.astimezone(app.zone):%a %Y-%m-%d %H:%M %Z}" for at in row.next_runs),
        )
        for row in rows
    ]
    click.echo(table(headings, cells))
    return 0
