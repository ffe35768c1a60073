"""`backupd restore`: bring a backup, or some of it, back."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backupd.cli.invocation import Invocation, global_options, stoppable
from backupd.cli.render import plain, print_json, printable
from backupd.cli.run import EXIT_CODES
from backupd.words import plural, size

if TYPE_CHECKING:
    from datetime import tzinfo

    from backupd.operations.in_place import InPlace
    from backupd.operations.restore import Restore
    from backupd.recovery import RestoreRequest
    from backupd.reports import RestorePlan, RestoreReport
    from backupd.wiring import App

_NAMED = 20
_NO_MANIFEST = (
    "This archive was not made by backupd: it has no manifest. The ZIP's own checks were made; "
    "owners, fractions of seconds, and whether members are missing could not be checked."
)


@click.command(short_help="Restore a backup, or a part of it.")
@click.argument("backup", default="latest")
@click.option("--to", type=click.Path(path_type=Path), metavar="DIR", help="Restore into it.")
@click.option("--in-place", is_flag=True, help="Put the application back where it was.")
@click.option("--at", metavar="TIME", help="The newest backup not after it: '2025-11-08 12:00'.")
@click.option("--path", "patterns", multiple=True, metavar="GLOB", help="Only what it names.")
@click.option("--only-db", is_flag=True, help="Only the database dumps.")
@click.option("--only-files", is_flag=True, help="Only the files.")
@click.option("--destination", "destinations", multiple=True, metavar="NAME", help="From there.")
@click.option("--db", "databases", multiple=True, metavar="NAME", help="With --only-db: only it.")
@click.option(
    "--to-url", envvar="BACKUPD_TO_URL", metavar="URL", help="With --only-db: into this database."
)
@click.option("--overwrite", is_flag=True, help="Replace what stands in the way.")
@click.option("--skip-damaged", is_flag=True, help="Leave damaged members out.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@global_options
@click.pass_obj
def restore(  # noqa: PLR0917  (click gives each option by name)
    invocation: Invocation,
    backup: str,
    to: Path | None,
    in_place: bool,  # noqa: FBT001
    at: str | None,
    patterns: tuple[str, ...],
    only_db: bool,  # noqa: FBT001
    only_files: bool,  # noqa: FBT001
    destinations: tuple[str, ...],
    databases: tuple[str, ...],
    to_url: str | None,
    overwrite: bool,  # noqa: FBT001
    skip_damaged: bool,  # noqa: FBT001
    dry_run: bool,  # noqa: FBT001
) -> int:
    """Restore BACKUP (a name, or the latest), from the nearest good copy.

    Into a directory (--to), where it goes on when it is run again after a stop; or in place: then
    everything is old or everything is new in the end, SQLite databases included; or, with --only-db
    alone, dumps of database servers back into their databases.
    """
    from backupd.model import Scope  # noqa: PLC0415
    from backupd.recovery import RestoreRequest  # noqa: PLC0415  (costs 0.3 s)
    from backupd.recovery import restore as operation_for  # noqa: PLC0415

    if only_db and only_files:
        raise click.UsageError("--only-db and --only-files exclude each other.")
    if at and backup != "latest":
        raise click.UsageError("--at chooses the backup; do not name one too.")
    into_databases = _goes_into_databases(to, in_place=in_place, only_db=only_db)
    if (databases or to_url) and not into_databases:
        raise click.UsageError(
            "--db and --to-url go with --only-db, without --to and --in-place. Those "
            f"take one dump by --path 'db-dumps/*-{next(iter(databases), 'main')}-*'."
        )
    if into_databases and (patterns or skip_damaged or dry_run):
        raise click.UsageError("--path, --skip-damaged and --dry-run need --to or --in-place.")
    if in_place and overwrite:
        raise click.UsageError("--in-place replaces what is there anyway; leave --overwrite out.")
    app = invocation.app()
    scope = Scope.ONLY_DB if only_db else Scope.ONLY_FILES if only_files else Scope.FULL
    request = RestoreRequest(
        target=to,
        backup=backup,
        at=_moment(at, app.zone) if at else None,
        destinations=destinations,
        scope=scope,
        patterns=patterns,
        overwrite=overwrite,
        skip_damaged=skip_damaged,
    )
    if into_databases:
        return _load(invocation, app, request, databases, to_url or "")
    operation, notes = operation_for(app, request)
    for note in notes:
        click.echo(note, err=True)
    if dry_run:
        return _show_plan(invocation, operation)
    return _perform(invocation, app, operation)


def _goes_into_databases(to: Path | None, *, in_place: bool, only_db: bool) -> bool:
    """Tell whether dumps go into their database servers, where no other place is given."""
    if to is not None and in_place:
        raise click.UsageError("--to and --in-place exclude each other.")
    if to is None and not in_place and not only_db:
        raise click.UsageError(
            "Say where to restore to: --to DIR, --in-place, or --only-db into database servers."
        )
    return to is None and not in_place


def _load(
    invocation: Invocation,
    app: "App",
    request: "RestoreRequest",
    databases: tuple[str, ...],
    to_url: str,
) -> int:
    """Load dumps into database servers, and say what is there now."""
    from backupd.cli.progress import bar  # noqa: PLC0415  (costs 0.1 s)
    from backupd.recovery import load_dumps  # noqa: PLC0415
    from backupd.sources.database_url import parse_database_url  # noqa: PLC0415

    try:
        if to_url:
            parse_database_url(to_url)
    except ValueError as error:
        raise click.BadParameter(f"Allowed: {error}.", param_hint="--to-url") from error
    operation, notes = load_dumps(app, request, databases=databases, to_url=to_url)
    for note in notes:
        click.echo(note, err=True)
    with stoppable(), bar() as on_bar:
        report = app.performer(invocation.observers(app, [on_bar])).perform(operation)
    if invocation.json:
        print_json({"outcome": report.outcome, **plain(report)})
        return EXIT_CODES[report.outcome]
    for note in report.notes:
        click.echo(f"Note: {printable(note)}", err=True)
    for loaded in report.loaded:
        for difference in loaded.differences:
            click.echo(f"{loaded.database}: {printable(difference)}", err=True)
        if invocation.verbosity != "quiet":
            click.echo(
                f"Loaded {loaded.database} from {loaded.dump} ({size(loaded.size)}): "
                f"{loaded.tables} tables and views, {plural(loaded.rows, 'row')}"
            )
    return EXIT_CODES[report.outcome]


def _moment(text: str, zone: "tzinfo") -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        allowed = "2025-11-08, 2025-11-08 12:00 or 2025-11-08T12:00:00+01:00"
        raise click.BadParameter(f"'{text}'. Allowed: {allowed}.", param_hint="--at") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _show_plan(invocation: Invocation, operation: "Restore | InPlace") -> int:
    """Print the plan; where the restore itself would be refused, that is raised after."""
    if invocation.json:
        print_json(operation.plan(lambda _: None))  # or the refusal, but not two documents
    else:
        operation.plan(_print_plan)
    return 0


def _print_plan(plan: "RestorePlan") -> None:
    _print_never_taken(plan)
    for path in plan.members:
        click.echo(printable(path))
    click.echo(
        f"{plural(len(plan.members), 'member')} of {plan.key} would be written to {plan.target} "
        f"({size(plan.bytes_to_write)} needed, {size(plan.bytes_free)} free), from "
        f"{', then '.join(plan.destinations)}; already there: {plan.unchanged}."
    )
    for path in plan.in_the_way:
        click.echo(f"In the way: {printable(path)}")


def _perform(invocation: Invocation, app: "App", operation: "Restore | InPlace") -> int:
    from backupd.cli.progress import bar  # noqa: PLC0415  (costs 0.1 s)

    with stoppable(), bar() as on_bar:
        report = app.performer(invocation.observers(app, [on_bar])).perform(operation)
    if invocation.json:
        print_json({"outcome": report.outcome, **plain(report)})
    elif invocation.verbosity != "quiet":
        _print(report)
    return EXIT_CODES[report.outcome]


def _print_never_taken(plan: "RestorePlan") -> None:
    if plan.never_taken:
        others = len(plan.never_taken) - 1
        what = printable(plan.never_taken[0]) + (f" and {others} more" if others else "")
        click.echo(f"{plan.key} is partial: {what} could not be read when it was taken.", err=True)


def _print(report: "RestoreReport") -> None:
    plan = report.plan
    _print_never_taken(plan)
    for note in report.notes:
        click.echo(f"Note: {note}", err=True)
    for flaw in report.flaws[:_NAMED]:
        click.echo(f"Not restored: {printable(flaw.path)}: {flaw.what}", err=True)
    if len(report.flaws) > _NAMED:
        click.echo(f"… and {len(report.flaws) - _NAMED} more.", err=True)
    if not plan.has_manifest:
        click.echo(_NO_MANIFEST, err=True)
    unchanged = f"; already there: {plan.unchanged}" if plan.unchanged else ""
    click.echo(
        f"Restored {plural(report.restored, 'member')} ({size(report.restored_bytes)}) of "
        f"{plan.key} to {plan.target}{unchanged}"
    )
    for dump in report.dumps:
        click.echo(f"Database dump: {printable(str(plan.target / dump))}")
