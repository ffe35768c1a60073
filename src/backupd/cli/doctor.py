"""`backupd doctor`: the deployment check-list, done by the program."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import click

from backupd.cli.invocation import Invocation, global_options, stoppable
from backupd.cli.notify import send_samples
from backupd.cli.render import print_json
from backupd.cli.run import EXIT_CODES

if TYPE_CHECKING:
    from backupd.diagnosis import Diagnosis
    from backupd.wiring import App

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


@click.command(short_help="Go through the deployment check-list.")
@click.option("--send-test", is_flag=True, help="Send a test message to every channel, too.")
@global_options
@click.pass_obj
def doctor(invocation: Invocation, send_test: bool) -> int:  # noqa: FBT001
    """Go through the deployment check-list; exit with 1 if a line of it fails."""
    from backupd.checkups import checkups  # noqa: PLC0415  (costs 0.3 s)
    from backupd.operations.doctor import DoctorReport, examine_all  # noqa: PLC0415

    app = invocation.app()
    shown = not invocation.json and invocation.verbosity != "quiet"
    diagnoses = []
    looks = checkups(app)
    if send_test:
        looks.append(("test message", partial(_send_test, app)))
    with stoppable():
        for diagnosis in examine_all(looks):
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


def _send_test(app: "App") -> "Iterator[Diagnosis]":
    """Try every channel, as `notify test` does."""
    from backupd.diagnosis import bad, good  # noqa: PLC0415

    for channel, why in send_samples(app).items():
        subject = f"test message by {channel}"
        if why:
            yield bad(subject, why, "Correct the channel's settings and try again.")
        else:
            yield good(subject, "The other side took it.")


def _print(diagnosis: "Diagnosis") -> None:
    grade = click.style(diagnosis.grade, fg=_COLOURS[diagnosis.grade], bold=True)
    text = click.wrap_text(f"{diagnosis.subject}: {diagnosis.message}", 74, "", "      ")
    click.echo(f"{grade}  {text}")
    if diagnosis.hint:
        click.echo(click.wrap_text(diagnosis.hint, 80, "      ", "      "))
