"""`backupd deliver`: bring the archives that wait in the spool to where they are missing."""

from typing import TYPE_CHECKING

import click

from backupd.cli.invocation import Invocation, global_options, stoppable
from backupd.cli.render import plain, print_json
from backupd.cli.run import EXIT_CODES
from backupd.cli.telling import telling

if TYPE_CHECKING:
    from backupd.ports import Observer
    from backupd.reports import DeliveryReport


@click.command(short_help="Bring what waits in the spool to where it is missing.")
@click.option("--disable-notifications", is_flag=True, help="Tell nobody how it came out.")
@global_options
@click.pass_obj
def deliver(invocation: Invocation, disable_notifications: bool) -> int:  # noqa: FBT001  (click)
    """Bring every archive to the destinations that lack it; build nothing, dump nothing.

    The daemon does this when it starts and a run before it was cut off.
    """
    from backupd.cli.progress import BackupLines, bar  # noqa: PLC0415  (costs 0.1 s)

    app = invocation.app()
    shown: list[Observer] = []
    if not invocation.json and invocation.verbosity != "quiet":
        shown.append(BackupLines(app.zone))
    with stoppable(), bar() as on_bar, telling(app, disabled=disable_notifications) as tell:
        observe = invocation.observers(app, [*shown, on_bar, tell])
        report = app.performer(observe).perform(app.deliver())
    if invocation.json:
        print_json({"outcome": report.outcome, **plain(report)})
    elif invocation.verbosity != "quiet":
        click.echo(_said(report))
    return EXIT_CODES[report.outcome]


def _said(report: "DeliveryReport") -> str:
    if not report.copies:
        return "No archive is missing anywhere."
    made = sum(copy.succeeded for copy in report.copies)
    return f"Copies made: {made} of {len(report.copies)}"
