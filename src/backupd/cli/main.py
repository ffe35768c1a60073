"""The `backupd` command: its subcommands, and what every error looks like to a user."""

import gc
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from backupd import __version__
from backupd.cli.clean import clean, pin, unpin
from backupd.cli.config import config
from backupd.cli.daemon import daemon
from backupd.cli.deliver import deliver
from backupd.cli.doctor import doctor
from backupd.cli.drill import drill
from backupd.cli.invocation import Invocation, global_options
from backupd.cli.listing import list_
from backupd.cli.monitor import monitor
from backupd.cli.notify import notify
from backupd.cli.render import print_json
from backupd.cli.report import report
from backupd.cli.restore import restore
from backupd.cli.run import run
from backupd.cli.schedule import schedule
from backupd.cli.status import status
from backupd.cli.verify import verify
from backupd.errors import BackupdError, Interrupted
from backupd.ownership import hand_back

_COLLECTED_AFTER = 100_000
"""New objects between two searches for garbage; the default, 700, is a tenth of a short command."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="backupd")
@global_options
@click.pass_context
def cli(context: click.Context) -> None:
    """Back up an application into one complete, standard ZIP, and prove that it restores.

    Exit codes: 0 done, 1 failed or unhealthy, 2 bad usage, 3 partial, 75 another operation holds
    the lock, 78 settings are wrong, 130 interrupted.
    """
    context.ensure_object(Invocation)


for command in (
    daemon,
    run,
    deliver,
    list_,
    restore,
    verify,
    drill,
    clean,
    pin,
    unpin,
    monitor,
    status,
    schedule,
    report,
    notify,
    doctor,
    config,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    gc.set_threshold(_COLLECTED_AFTER)
    invocation = Invocation()
    try:
        code = cli.main(args=arguments, prog_name="backupd", standalone_mode=False, obj=invocation)
    except click.ClickException as error:
        code = _misused(error, sys.argv[1:] if arguments is None else arguments)
    except (click.Abort, KeyboardInterrupt):
        code = _fail(invocation, Interrupted("It was asked to stop, and it stopped."))
    except BackupdError as error:
        code = _fail(invocation, error)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone
        code = 1
    except Exception as error:  # noqa: BLE001  (the last one to see it)
        code = _bug(invocation, error)
    if invocation.state is not None:
        hand_back(invocation.state)
    gc.freeze()  # or the interpreter looks through all objects twice before it ends
    sys.exit(code or 0)


def _misused(error: click.ClickException, arguments: Sequence[str]) -> int:
    """Say how it is used; the command line was perhaps not read as far as `--json`."""
    if "--json" in arguments:
        context = error.ctx if isinstance(error, click.UsageError) else None
        command = context.command_path if context else "backupd"
        [message, *_] = error.format_message().splitlines()
        hint = f"Look at the options: {command} --help"
        print_json({"errors": [message], "hint": hint, "exit_code": error.exit_code})
    error.show()
    return error.exit_code


def _fail(invocation: Invocation, error: BackupdError) -> int:
    """Say what went wrong and what to do."""
    if invocation.told:
        return error.exit_code
    message, hint = invocation.clean(str(error)), invocation.clean(error.hint)
    if invocation.json:
        lines = message.splitlines()
        print_json({"errors": lines, "hint": hint, "exit_code": error.exit_code})
    for line in message.splitlines():
        click.echo(f"Error: {line}", err=True)
    click.echo(f"  {hint}", err=True)
    return error.exit_code


def _bug(invocation: Invocation, error: Exception) -> int:
    """Say that it is our fault; the trace goes to the log only, and holds no values."""
    import structlog  # noqa: PLC0415

    if not structlog.is_configured():
        from backupd.logs import Redactor, configure_logs  # noqa: PLC0415

        configure_logs("console", "INFO", Redactor(()), {})
    structlog.get_logger("backupd").critical("a bug in backupd", exc_info=error)
    if invocation.json:
        print_json({"errors": ["a bug in backupd"], "hint": "Please report it.", "exit_code": 1})
    click.echo(f"Error: a bug in backupd ({type(error).__name__}). Please report it.", err=True)
    return 1
