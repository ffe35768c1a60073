"""`backupd run`: take a backup now."""

from typing import TYPE_CHECKING

import click

from backupd.cli.invocation import Invocation, global_options, stoppable
from backupd.cli.render import plain, print_json, printable
from backupd.cli.telling import telling

if TYPE_CHECKING:
    from backupd.model import Omission
    from backupd.operations.request import BackupRequest
    from backupd.ports import Observer
    from backupd.reports import BackupReport
    from backupd.wiring import App

_NAMED = 20

EXIT_CODES = {"succeeded": 0, "partial": 3, "failed": 1}


@click.command()
@click.option("--only-db", is_flag=True, help="Only the databases.")
@click.option("--only-files", is_flag=True, help="Only the files.")
@click.option(
    "--db", "databases", multiple=True, metavar="NAME", help="Of the databases, only this one."
)
@click.option("--only-to", multiple=True, metavar="DESTINATION", help="Deliver only there.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out this too.")
@click.option("--suffix", default="", metavar="TEXT", help="Add this to the archive's name.")
@click.option("--full", is_flag=True, help="Read everything anew, carry nothing over.")
@click.option("--disable-notifications", is_flag=True, help="Tell nobody how it came out.")
@global_options
@click.pass_obj
def run(  # noqa: PLR0917  (click gives each option by name)
    invocation: Invocation,
    only_db: bool,  # noqa: FBT001
    only_files: bool,  # noqa: FBT001
    databases: tuple[str, ...],
    only_to: tuple[str, ...],
    exclude: tuple[str, ...],
    suffix: str,
    full: bool,  # noqa: FBT001
    disable_notifications: bool,  # noqa: FBT001
) -> int:
    """Take a backup now.

    Dump the databases, zip them and the files, deliver the archive to every destination.
    """
    from backupd.naming import suffix_mistake  # noqa: PLC0415
    from backupd.operations.request import BackupRequest  # noqa: PLC0415

    if only_db and only_files:
        raise click.UsageError("--only-db and --only-files exclude each other.")
    if only_files and databases:
        raise click.UsageError("--only-files takes no --db.")
    if suffix and (allowed := suffix_mistake(suffix)):
        raise click.BadParameter(f"'{suffix}'. Allowed: {allowed}.", param_hint="--suffix")
    app = invocation.app()
    request = BackupRequest(
        only_db=only_db,
        only_files=only_files,
        databases=databases,
        only_to=only_to,
        exclude=exclude,
        suffix=suffix,
        full=full,
    )
    with telling(app, disabled=disable_notifications) as tell:
        return perform_backup(invocation, app, request, tell)


def perform_backup(
    invocation: Invocation, app: "App", request: "BackupRequest", tell: "Observer"
) -> int:
    """Take the backup and show what happens, in the way that was asked for."""
    from backupd.cli.progress import BackupLines, bar  # noqa: PLC0415  (costs 0.1 s)

    shown: list[Observer] = []
    if not invocation.json and invocation.verbosity != "quiet":
        shown.append(BackupLines(app.zone))
    with stoppable(), bar() as on_bar:
        observe = invocation.observers(app, [*shown, on_bar, tell])
        report = app.performer(observe).perform(app.backup(request))
    if invocation.json:
        print_json({"outcome": report.outcome, **plain(report)})
    else:
        _print_what_is_missing(report)
        if invocation.verbosity != "quiet":
            _print_what_is_harmless(report)
    return EXIT_CODES[report.outcome]


def _print_what_is_missing(report: "BackupReport") -> None:
    """Name what a backup lacks, on standard error, be it allowed to lack it or not."""
    from backupd.model import OmissionReason  # noqa: PLC0415

    archive = report.archive
    missing = [each for each in archive.omissions if not _is_only_counted(each)]
    for omission in missing[:_NAMED]:
        click.echo(f"Left out ({omission.reason}): {printable(omission.path)}", err=True)
        if omission.reason is OmissionReason.DUMP_FAILED:
            click.echo(f"  {printable(omission.detail)}", err=True)
    if len(missing) > _NAMED:
        click.echo(f"… and {len(missing) - _NAMED} more; the archive's manifest has all.", err=True)
    for copy in (*report.copies, *report.late):
        if not copy.succeeded:
            click.echo(f"{copy.destination}: {copy.error}\n  {copy.hint}", err=True)
    for database in archive.databases:
        for warning in database.warnings:
            click.echo(f"Warning: database {database.name}: {printable(warning)}", err=True)
    for path in archive.changed_while_read:
        click.echo(f"Changed while it was read: {printable(path)}", err=True)


def _print_what_is_harmless(report: "BackupReport") -> None:
    """Count what was left out without harm, on standard output."""
    harmless = sum(map(_is_only_counted, report.archive.omissions))
    if harmless:
        what = "thing was" if harmless == 1 else "things were"
        click.echo(f"{harmless} {what} left out without harm; the archive's manifest says which.")


def _is_only_counted(omission: "Omission") -> bool:
    """Tell sockets and what vanished from files that could not be read."""
    from backupd.model import OmissionReason  # noqa: PLC0415

    unread = {OmissionReason.UNREADABLE, OmissionReason.TOO_LONG}
    return omission.harmless and omission.reason not in unread
