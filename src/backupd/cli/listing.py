"""`backupd list`: what there is, by destination, one by one, or as a calendar."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from backupd.cli.invocation import Invocation, global_options
from backupd.cli.monitor import as_document
from backupd.cli.plan import plan_table
from backupd.cli.render import columns, moment, print_json, table, trouble
from backupd.words import age, plural, size

if TYPE_CHECKING:
    from backupd.health import Health
    from backupd.model import Backup
    from backupd.operations.survey import Surveyed
    from backupd.wiring import App

HEADINGS = (
    "Name",
    "Destination",
    "Reachable",
    "Healthy",
    "Count",
    "Size",
    "Newest backup",
    "Oldest backup",
)
_YES_NO = {True: "yes", False: "no"}


@click.command("list")
@click.option("--backups", is_flag=True, help="One row for each backup, with why it is kept.")
@click.option("--calendar", is_flag=True, help="Draw the days, weeks, months, years covered.")
@global_options
@click.pass_obj
def list_(invocation: Invocation, *, backups: bool, calendar: bool) -> int:
    """List what every destination holds."""
    from backupd import care  # noqa: PLC0415  (costs 0.3 s)

    if backups and calendar:
        raise click.UsageError("--backups and --calendar exclude each other.")
    app = invocation.app()
    surveyed = care.survey_all(app)
    now = app.clock.now()
    if invocation.json:
        print_json([_document(each, now, with_backups=backups) for each in surveyed])
    elif backups:
        for each in surveyed:
            _print_backups(each, now)
    elif calendar:
        from backupd.cli.calendar import print_calendar  # noqa: PLC0415
        from backupd.policies import retention_policy  # noqa: PLC0415

        for each in surveyed:
            print_calendar(each, retention_policy(app.settings, app.zone), now)
    else:
        _print_destinations(app, [each.health for each in surveyed], now)
    for each in surveyed:
        if not each.health.reachable:
            finding = each.health.findings[0]
            trouble(each.health.destination, finding.message, finding.hint)
    return 0 if all(each.health.reachable for each in surveyed) else 1


def _print_destinations(app: "App", healths: "list[Health]", now: datetime) -> None:
    def when(backup: "Backup | None") -> str:
        if backup is None:
            return "none"
        return f"{moment(backup.created_at, app.zone)} ({age(now - backup.created_at)})"

    rows = [
        (
            health.set_name,
            health.destination,
            _YES_NO[health.reachable],
            _YES_NO[health.healthy],
            str(health.count),
            size(health.total_bytes),
            when(health.newest),
            when(health.oldest),
        )
        for health in healths
    ]
    colours = [None if health.healthy else "red" for health in healths]
    wide = table(HEADINGS, rows, right=(4, 5), colours=colours)
    if len(wide.partition("\n")[2].partition("\n")[0]) <= columns():
        click.echo(wide)
    else:
        click.echo(
            "\n\n".join(_narrow(row, colour) for row, colour in zip(rows, colours, strict=True))
        )


def _narrow(row: Sequence[str], colour: str | None) -> str:
    """Lay a destination out on four lines that fit 80 columns."""
    cells = dict(zip(HEADINGS, row, strict=True))
    head = click.style(f"{cells['Name']} at {cells['Destination']}", bold=True)
    facts = ("Reachable", "Healthy", "Count", "Size")
    line = "   ".join(f"{name} {cells[name]}" for name in facts)
    return (
        f"{head}\n  {click.style(line, fg=colour)}\n"
        f"  Newest backup {cells['Newest backup']}\n  Oldest backup {cells['Oldest backup']}"
    )


def _print_backups(surveyed: "Surveyed", now: datetime) -> None:
    health = surveyed.health
    count = plural(health.count, "backup")
    click.secho(
        f"{health.set_name} at {health.destination}: {count}, {size(health.total_bytes)}", bold=True
    )
    if surveyed.plan.verdicts:
        click.echo(plan_table(health.set_name, surveyed.plan, now))
    click.echo()


def _document(surveyed: "Surveyed", now: datetime, *, with_backups: bool) -> dict[str, object]:
    """Lay a destination out as `docs/reference/json.md` describes it."""
    document = as_document(surveyed.health, now)
    if with_backups:
        document["backups"] = [
            {
                "backup": verdict.backup.key,
                "created_at": verdict.backup.created_at,
                "age_seconds": round((now - verdict.backup.created_at).total_seconds()),
                "bytes": verdict.backup.size,
                "scope": verdict.backup.scope,
                "encrypted": verdict.backup.encrypted,
                "condition": verdict.backup.condition,
                "verified_at": verdict.backup.verified_at,
                "pinned": verdict.backup.pinned,
                "locked_until": verdict.backup.locked_until,
                "keep": verdict.kept,
                "rule": verdict.rule,
                "reason": verdict.reason,
            }
            for verdict in surveyed.plan.verdicts
        ]
    return document
