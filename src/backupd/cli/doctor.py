"""`backupd doctor`: the deployment check-list, done by the program."""

from typing import TYPE_CHECKING

import click

from backupd.cli.invocation import Invocation, global_options, stoppable
from backupd.cli.render import print_json
from backupd.cli.run import EXIT_CODES

if TYPE_CHECKING:
    from backupd.diagnosis import Diagnosis

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


@click.command()
@global_options
@click.pass_obj
def doctor(invocation: Invocation) -> int:
    """Go through the deployment check-list; exit with 1 if a line of it fails."""
    from backupd.checkups import checkups  # noqa: PLC0415  (costs 0.3 s)
    from backupd.operations.doctor import DoctorReport, examine_all  # noqa: PLC0415

    app = invocation.app()
    shown = not invocation.json and invocation.verbosity != "quiet"
    diagnoses = []
    with stoppable():
        for diagnosis in examine_all(checkups(app)):
            diagnoses.append(diagnosis)
            if shown:
                _print(diagnosis)
    report = DoctorReport(diagnoses=tuple(diagnoses))
    counts = {grade: sum(each.grade == grade for each in diagnoses) for grade in _COLOURS}
    if invocation.json:
        print_json({"outcome": report.outcome, "counts": counts, "lines": report.diagnoses})
    elif shown:
        click.echo()
        click.echo(", ".join(f"{count} {grade}" for grade, count in counts.items()))
    return EXIT_CODES[report.outcome]


def _print(diagnosis: "Diagnosis") -> None:
    grade = click.style(diagnosis.grade, fg=_COLOURS[diagnosis.grade], bold=True)
    text = click.wrap_text(f"{diagnosis.subject}: {diagnosis.message}", 74, "", "      ")
    click.echo(f"{grade}  {text}")
    if diagnosis.hint:
        click.echo(click.wrap_text(diagnosis.hint, 80, "      ", "      "))
