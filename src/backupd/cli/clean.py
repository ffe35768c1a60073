"""`backupd clean`, `pin` and `unpin`: what stays and what goes."""

from typing import TYPE_CHECKING

import click

from backupd.cli.invocation import Invocation, global_options, stoppable
from backupd.cli.plan import plan_table
from backupd.cli.render import print_json, table, trouble
from backupd.cli.run import EXIT_CODES
from backupd.cli.telling import telling
from backupd.words import plural, size

if TYPE_CHECKING:
    from datetime import datetime

    from backupd.cleaning import Cleaning, CleanReport, PinReport
    from backupd.retention import Plan

REFUSALS = ("too-many", "clock", "empty-policy", "failing-backups")


@click.command(short_help="Remove what the retention policy does not keep.")
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Keep only the N newest.")
@click.option("--dry-run", is_flag=True, help="Print the plan with its reasons, delete nothing.")
@click.option(
    "--despite",
    multiple=True,
    type=click.Choice(REFUSALS),
    help="Clean this once although it was refused for that reason.",
)
@click.option("--disable-notifications", is_flag=True, help="Tell nobody how it came out.")
@global_options
@click.pass_obj
def clean(
    invocation: Invocation,
    keep: int | None,
    *,
    dry_run: bool,
    despite: tuple[str],
    disable_notifications: bool,
) -> int:
    """Apply the retention policy: remove the backups that it does not keep."""
    from backupd import care  # noqa: PLC0415  (costs 0.3 s)
    from backupd.caution import Refusal  # noqa: PLC0415

    app = invocation.app()
    operation = care.clean(app, frozenset(Refusal(each) for each in despite))
    if keep is not None:
        operation = care.keeping_only(operation, keep)
    if dry_run:
        operation = care.dry(operation)
    with stoppable(), telling(app, disabled=disable_notifications or dry_run) as tell:
        report = app.performer(invocation.observers(app, [tell])).perform(operation)
    if invocation.json:
        print_json(_document(report, dry_run=dry_run))
    elif invocation.verbosity != "quiet":
        for cleaning in report.destinations:
            if dry_run:
                _print_plan(app.set_name, cleaning, app.clock.now())
            else:
                _print_removed(cleaning)
    _print_troubles(report)
    return EXIT_CODES[report.outcome]


def _print_plan(set_name: str, cleaning: "Cleaning", now: "datetime") -> None:
    if cleaning.error:
        return
    plan = cleaning.plan
    goes = sum(verdict.backup.size for verdict in plan.removed)
    stays = sum(verdict.backup.size for verdict in plan.kept)
    click.secho(
        f"{cleaning.destination}: {len(plan.kept)} would stay ({size(stays)}), "
        f"{len(plan.removed)} would go ({size(goes)})",
        bold=True,
    )
    if plan.verdicts:
        click.echo(plan_table(set_name, plan, now))
    if cleaning.foreign:
        click.echo(f"{plural(cleaning.foreign, 'other object')} left alone: not our archive")
    click.echo()


def _print_removed(cleaning: "Cleaning") -> None:
    if cleaning.error or cleaning.objections:
        return
    kept = len(cleaning.plan.kept)
    if not cleaning.removed and not cleaning.failed:
        click.echo(f"{cleaning.destination}: nothing to remove, {plural(kept, 'backup')} kept")
        return
    click.echo(
        f"{cleaning.destination}: {plural(len(cleaning.removed), 'backup')} removed "
        f"({size(cleaning.removed_bytes)}), {kept} kept"
    )
    rows = [
        (f"  {verdict.backup.key}", size(verdict.backup.size), verdict.reason)
        for verdict in cleaning.removed
    ]
    if rows:
        click.echo(table((), rows, right=(1,)))


def _print_troubles(report: "CleanReport") -> None:
    """Say on standard error what was refused, what failed, and what to do."""
    for cleaning in report.destinations:
        if cleaning.error:
            trouble(cleaning.destination, cleaning.error, cleaning.hint)
        for objection in cleaning.objections:
            trouble(cleaning.destination, "refused. " + objection.message, objection.hint)
        for failed in cleaning.failed:
            what = f"{failed.backup.key} is still there: {failed.error}"
            trouble(cleaning.destination, what, failed.hint)
        if cleaning.plan.excess_bytes and not cleaning.error:
            trouble(
                cleaning.destination,
                f"what must stay is {size(cleaning.plan.excess_bytes)} over "
                "BACKUP_RETENTION__MAX_MEGABYTES.",
                "Raise it, keep less, or unpin something.",
            )


def _document(report: "CleanReport", *, dry_run: bool) -> dict[str, object]:
    """Lay the report out as `docs/reference/json.md` describes it."""
    return {
        "outcome": report.outcome,
        "dry_run": dry_run,
        "destinations": [
            {
                "destination": each.destination,
                "outcome": each.outcome,
                "error": each.error,
                "hint": each.hint,
                "refused": each.objections,
                "removed_bytes": each.removed_bytes,
                "excess_bytes": each.plan.excess_bytes,
                "foreign": each.foreign,
                "backups": _verdicts(each.plan, each),
            }
            for each in report.destinations
        ],
    }


def _verdicts(plan: "Plan", cleaning: "Cleaning") -> list[dict[str, object]]:
    removed = {verdict.backup.key for verdict in cleaning.removed}
    failed = {each.backup.key: each.error for each in cleaning.failed}
    return [
        {
            "backup": verdict.backup.key,
            "created_at": verdict.backup.created_at,
            "bytes": verdict.backup.size,
            "keep": verdict.kept,
            "rule": verdict.rule,
            "reason": verdict.reason,
            "removed": verdict.backup.key in removed,
            "error": failed.get(verdict.backup.key, ""),
        }
        for verdict in plan.verdicts
    ]


@click.command()
@click.argument("backup")
@global_options
@click.pass_obj
def pin(invocation: Invocation, backup: str) -> int:
    """Keep BACKUP for ever, at every destination that has it."""
    from backupd import care  # noqa: PLC0415  (costs 0.3 s)

    app = invocation.app()
    report = app.performer(invocation.observers(app)).perform(care.pin(app, backup))
    return _print_pinned(invocation, report, "pinned")


@click.command()
@click.argument("backup")
@global_options
@click.pass_obj
def unpin(invocation: Invocation, backup: str) -> int:
    """Let the retention policy decide about BACKUP again."""
    from backupd import care  # noqa: PLC0415  (costs 0.3 s)

    app = invocation.app()
    report = app.performer(invocation.observers(app)).perform(care.unpin(app, backup))
    return _print_pinned(invocation, report, "no longer pinned")


def _print_pinned(invocation: Invocation, report: "PinReport", what: str) -> int:
    if invocation.json:
        print_json({"outcome": report.outcome, "backup": report.key, **_places(report)})
    for each in report.destinations:
        if each.error:
            trouble(each.destination, each.error, each.hint)
        elif not invocation.json and invocation.verbosity != "quiet":
            click.echo(f"{each.destination}: {report.key} is {what}")
    return EXIT_CODES[report.outcome]


def _places(report: "PinReport") -> dict[str, object]:
    return {"destinations": list(report.destinations)}
