"""What every command shares: the global options, the app they lead to, and how it is closed."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from backupd.events import Event
    from backupd.ports import Observer
    from backupd.wiring import App

_IN_BACKGROUND = ("JOURNAL_STREAM", "BACKUPD_EVENTS_FD")

Verbosity = Literal["quiet", "normal", "verbose"]


@dataclass(slots=True)
class Invocation:
    """The global options, wherever on the command line they stood."""

    env_file: Path | None = None
    json: bool = False
    verbosity: Verbosity = "normal"
    background: bool = False
    """Whether nobody watches: the log is all there is."""
    told: bool = False
    """Whether the failure that ends the program has been told already."""
    state: Path | None = None
    """Where all state is kept, as soon as it is known."""
    clean: Callable[[str], str] = str
    """Takes the secrets out of a text, as soon as they are known."""

    def app(self) -> "App":
        """Read the settings, set the log up, and wire everything.

        Raises:
            SettingsError: the settings are wrong.
        """
        from backupd.logs import configure_logs  # noqa: PLC0415  (costs 0.15 s)
        from backupd.settings import load_settings  # noqa: PLC0415  (costs 0.2 s)
        from backupd.wiring import App  # noqa: PLC0415

        loaded = load_settings(os.environ, self.env_file)
        app = App(loaded, os.environ)
        self.clean = app.redactor.clean
        self.state = app.state.parent
        configure_logs(loaded.settings.log_format, self._log_level(app), app.redactor, os.environ)
        if self.verbosity != "quiet":
            for warning in loaded.warnings:
                click.echo(f"Warning: {warning}", err=True)
        return app

    def _log_level(self, app: "App") -> str:
        """Where commands speak for themselves the log says only what nobody foresaw."""
        if self.verbosity == "verbose":
            return "DEBUG"
        if self.background or not os.environ.keys().isdisjoint(_IN_BACKGROUND):
            return app.settings.log_level.upper()
        return "CRITICAL"

    def observers(self, app: "App", more: Sequence["Observer"] = ()) -> "Observer":
        """Make the observers of one operation: the log, the history, and what a command adds."""
        from backupd.observers import relay  # noqa: PLC0415
        from backupd.observers.group import ObserverGroup  # noqa: PLC0415
        from backupd.observers.log import log_event  # noqa: PLC0415
        from backupd.observers.record import Recorder  # noqa: PLC0415

        observers: list[Observer] = [log_event, Recorder(app.history), *more]
        if descriptor := os.environ.get(relay.VARIABLE):
            observers += [relay.Relay(int(descriptor)), self._note_failure]
        return ObserverGroup(observers)

    def _note_failure(self, event: "Event") -> None:
        """Under the daemon a failure is in the log already; standard error is the log too."""
        self.told = self.told or type(event).__name__ == "OperationFailed"


def global_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let the global options stand after the command too."""

    def keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
        def callback(context: click.Context, _: click.Parameter, value: Any) -> None:  # noqa: ANN401
            if value is not None and value is not False:
                setattr(context.ensure_object(Invocation), *_kept(name, value))

        return callback

    options = [
        click.option(
            "--env-file",
            type=click.Path(path_type=Path, readable=False),
            expose_value=False,
            callback=keep("env_file"),
            help="Settings file.  [default: $BACKUPD_ENV_FILE, /etc/backupd/backupd.env]",
        ),
        click.option(
            "--json",
            is_flag=True,
            expose_value=False,
            callback=keep("json"),
            help="Print one JSON document.",
        ),
        click.option(
            "--quiet",
            is_flag=True,
            expose_value=False,
            callback=keep("quiet"),
            help="Print errors only.",
        ),
        click.option(
            "--verbose",
            is_flag=True,
            expose_value=False,
            callback=keep("verbose"),
            help="Log every step.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _kept(name: str, value: object) -> tuple[str, object]:
    return ("verbosity", name) if name in {"quiet", "verbose"} else (name, value)


@contextmanager
def stoppable() -> Iterator[None]:
    """Treat SIGTERM and a closed terminal as Ctrl-C: clean up, then end."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
