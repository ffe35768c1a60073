"""`backupd verify`: read backups back and compare every byte."""

from typing import TYPE_CHECKING

import click

from backupd.cli.invocation import Invocation, global_options, stoppable
from backupd.cli.render import plain, print_json, printable
from backupd.cli.run import EXIT_CODES
from backupd.cli.telling import telling
from backupd.words import plural, size

if TYPE_CHECKING:
    from backupd.reports import Proof, ProofReport

_NAMED = 20


@click.command(short_help="Read a backup back and check every byte.")
@click.argument("backup", default="latest")
@click.option("--destination", "destinations", multiple=True, metavar="NAME", help="Only there.")
@click.option("--all", "every", is_flag=True, help="Every backup.")
@click.option(
    "--percent",
    type=click.IntRange(1, 100),
    default=100,
    show_default=True,
    help="Read only so much of each, chosen at random.",
)
@global_options
@click.pass_obj
def verify(
    invocation: Invocation,
    backup: str,
    destinations: tuple[str, ...],
    every: bool,  # noqa: FBT001
    percent: int,
) -> int:
    """Read BACKUP (a name, or the latest of each destination) back and compare every byte."""
    from backupd.cli.progress import bar  # noqa: PLC0415  (costs 0.1 s)
    from backupd.proving import verify as operation_for  # noqa: PLC0415  (costs 0.2 s)

    if every and backup != "latest":
        raise click.UsageError("--all verifies every backup; do not name one too.")
    app = invocation.app()
    operation = operation_for(
        app, backup="all" if every else backup, destinations=destinations, percent=percent
    )
    with stoppable(), bar() as on_bar, telling(app, disabled=False) as tell:
        report = app.performer(invocation.observers(app, [on_bar, tell])).perform(operation)
    show_proofs(invocation, report)
    return EXIT_CODES[report.outcome]


def show_proofs(invocation: Invocation, report: "ProofReport") -> None:
    """Print one line for each backup, and one for each member that is damaged."""
    if invocation.json:
        print_json({"outcome": report.outcome, **plain(report)})
        return
    for proof in report.proofs:
        if invocation.verbosity != "quiet" or not proof.succeeded:
            click.echo(_line(proof))
        for flaw in proof.flaws[:_NAMED]:
            click.echo(f"  {printable(flaw.path or proof.key)}: {flaw.what}")
        if len(proof.flaws) > _NAMED:
            click.echo(f"  … and {len(proof.flaws) - _NAMED} more.")


def _line(proof: "Proof") -> str:
    where = f"{proof.key or 'backups'} at {proof.destination}"
    if proof.error:
        return f"{where}: not proved: {proof.error} {proof.hint}"
    members, content = plural(proof.members, "member"), size(proof.content_bytes)
    took = f"{members}, {content}, in {proof.seconds:.1f} s"
    if proof.flaws:
        return f"{where}: damaged ({took})"
    looked = "" if proof.percent == 100 else f" ({proof.percent} % of it, chosen at random)"  # noqa: PLR2004
    by = "" if proof.has_manifest else " by the ZIP's own checks only: it has no manifest"
    opened = f", databases opened: {', '.join(proof.databases)}" if proof.databases else ""
    return f"{where}: good{looked}{by} ({took}{opened})"
