"""What a terminal shows while a backup is taken: the guide's lines, and a bar below them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import tzinfo
from functools import singledispatchmethod
from typing import TYPE_CHECKING, TextIO, cast

import click

from backupd.cli.render import moment
from backupd.events import (
    ArchiveBuilt,
    ArchiveStarted,
    CopyEnded,
    CopyStarted,
    DumpStarted,
    Event,
    LeftoversSwept,
    OperationEnded,
    OperationStarted,
    Progressed,
    SelectionStarted,
    SpoolHolds,
)
from backupd.model import Outcome
from backupd.reports import BackupReport
from backupd.words import plural, size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


class BackupLines:
    """An observer that prints the lines of `run` on standard output."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone

    def __call__(self, event: Event) -> None:
        """Print a line if the event is worth one."""
        self._print(event)

    @singledispatchmethod
    def _print(self, event: object) -> None:
        """Most events are not."""

    @_print.register
    def _(self, event: OperationStarted) -> None:
        click.echo(f"Starting {event.operation}...")

    @_print.register
    def _(self, event: DumpStarted) -> None:
        click.echo(f"Dumping database {event.database}...")

    @_print.register
    def _(self, _: SelectionStarted) -> None:
        click.echo("Determining files to backup...")

    @_print.register
    def _(self, event: ArchiveStarted) -> None:
        click.echo(f"Zipping {plural(event.members, 'file')}...")

    @_print.register
    def _(self, event: ArchiveBuilt) -> None:
        click.echo(f"Backup created successfully (Size: {size(event.archive.size)})")

    @_print.register
    def _(self, event: CopyStarted) -> None:
        what = f" {event.key}, which it lacks," if event.late else ""
        click.echo(f"Delivering{what} to {event.destination}...")

    @_print.register
    def _(self, event: CopyEnded) -> None:
        if not event.copy.succeeded:
            click.echo(f"Not delivered to {event.copy.destination}: {event.copy.error}")

    @_print.register
    def _(self, event: SpoolHolds) -> None:
        archives = f"{event.archives} archive{'s' if event.archives > 1 else ''}"
        waiting_for = ", ".join(event.waiting_for)
        click.echo(f"The spool keeps {archives} ({size(event.size)}) for {waiting_for}")

    @_print.register
    def _(self, event: LeftoversSwept) -> None:
        click.echo(f"Swept what a dead run left in {event.where}: {', '.join(event.names)}")

    @_print.register
    def _(self, event: OperationEnded) -> None:
        if isinstance(event.report, BackupReport):
            done = "completed" if event.report.outcome is Outcome.SUCCEEDED else "ended"
            click.echo(f"Backup {done} at: {moment(event.at, self.zone)}")


class Bar:
    """An observer that draws one bar per phase: bytes, rate and time left."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._rows: dict[str, TaskID] = {}

    def __call__(self, event: Event) -> None:
        """Move the bar."""
        if not isinstance(event, Progressed):
            return
        total = event.total or None
        if event.phase not in self._rows:
            self._rows[event.phase] = self._progress.add_task(event.phase, total=total)
        self._progress.update(self._rows[event.phase], completed=event.done, total=total)


class _Above:
    """A stream for text while bars are drawn: its lines come out whole, above the bars."""

    encoding = "utf-8"  # click writes to what lies beneath a stream that names none
    errors = "replace"

    def __init__(self, terminal: "Console") -> None:
        self._terminal = terminal
        self._begun = ""

    def write(self, text: str) -> int:
        """Print the lines that are complete by now."""
        from rich.text import Text  # noqa: PLC0415  (slow to import)

        lines, newline, self._begun = (self._begun + text).rpartition("\n")
        if newline:
            self._terminal.print(Text.from_ansi(lines), soft_wrap=True)
        return len(text)

    def flush(self) -> None:
        """Do nothing: a complete line is out already."""

    def isatty(self) -> bool:
        """Say that it is a terminal: bars are drawn on nothing else."""
        return True


@contextmanager
def bar() -> Iterator[Callable[[Event], None]]:
    """Draw bars while the block lasts, if all output goes to a terminal; else draw nothing.

    What goes through a pipe may come back to the same terminal, in the midst of a bar.
    """
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich import console  # noqa: PLC0415  (slow to import)
    from rich import progress as bars  # noqa: PLC0415

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    terminal = console.Console(file=sys.stderr)
    above = cast("TextIO", _Above(terminal))
    progress = bars.Progress(
        *columns, console=terminal, transient=True, redirect_stdout=False, redirect_stderr=False
    )
    with redirect_stdout(above), redirect_stderr(above), progress:
        yield Bar(progress)
