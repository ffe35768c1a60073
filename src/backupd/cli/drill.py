"""`backupd drill`: restore the newest backups into a scratch directory and look at them."""

import click

from backupd.cli.invocation import Invocation, global_options, stoppable
from backupd.cli.run import EXIT_CODES
from backupd.cli.telling import telling
from backupd.cli.verify import show_proofs


@click.command(short_help="Restore the newest backups for a trial.")
@click.option("--destination", "destinations", multiple=True, metavar="NAME", help="Only there.")
@global_options
@click.pass_obj
def drill(invocation: Invocation, destinations: tuple[str, ...]) -> int:
    """Really restore the newest backup of each destination, compare, open the databases."""
    from backupd.cli.progress import bar  # noqa: PLC0415  (costs 0.1 s)
    from backupd.recovery import drill as operation_for  # noqa: PLC0415  (costs 0.3 s)

    app = invocation.app()
    operation = operation_for(app, destinations=destinations)
    with stoppable(), bar() as on_bar, telling(app, disabled=False) as tell:
        report = app.performer(invocation.observers(app, [on_bar, tell])).perform(operation)
    show_proofs(invocation, report)
    return EXIT_CODES[report.outcome]
