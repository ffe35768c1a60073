"""`backupd daemon`: the scheduler in the foreground, as systemd starts it."""

import os
from typing import TYPE_CHECKING

import click

from backupd.cli.config import relative_root
from backupd.cli.invocation import Invocation, global_options
from backupd.cli.render import print_json

if TYPE_CHECKING:
    from pathlib import Path

    from backupd.wiring import App


@click.command(short_help="Run the scheduler in the foreground.")
@click.option(
    "--reload", "reload_", is_flag=True, help="Have the running daemon read its settings anew."
)
@global_options
@click.pass_obj
def daemon(invocation: Invocation, reload_: bool) -> int:  # noqa: FBT001  (click)
    """Run the scheduler in the foreground; it is what the systemd unit starts."""
    return _reload(invocation) if reload_ else _run(invocation)


def _run(invocation: Invocation) -> int:
    from backupd.cli.telling import Announcer  # noqa: PLC0415
    from backupd.daemon.control import socket_path  # noqa: PLC0415  (costs 0.4 s)
    from backupd.daemon.loop import Daemon  # noqa: PLC0415
    from backupd.daemon.scheduler import Scheduler  # noqa: PLC0415
    from backupd.daemon.systemd import Systemd  # noqa: PLC0415

    invocation.background = True
    app = _loaded(invocation)
    announcer = Announcer()
    try:
        scheduler = Scheduler(
            app, lambda new: invocation.observers(new, [announcer.follow(new)]), os.environ
        )
        path = socket_path(os.environ, app.set_name)
        Daemon(scheduler, Systemd(os.environ), path, lambda: _loaded(invocation)).run()
    finally:
        announcer.stop()
    return 0


def _loaded(invocation: Invocation) -> "App":
    """Read the settings of something that has no directory of its own to begin in."""
    from backupd.errors import SettingsError  # noqa: PLC0415

    app = invocation.app()
    if what := relative_root(app):
        raise SettingsError(
            f"{what}, and the daemon has no current directory to take.",
            hint=f"Set it in {app.loaded.env_file or 'the env file'} to the application's.",
        )
    return app


def _reload(invocation: Invocation) -> int:
    """Wait for the daemon's answer: wrong settings are this command's failure too."""
    from backupd.daemon.control import ask_to_reload, find_daemon  # noqa: PLC0415
    from backupd.errors import SettingsError  # noqa: PLC0415

    main_pid = os.environ.get("MAINPID", "")  # systemd says whom it means
    path = find_daemon(os.environ, lambda state: str(state.pid) == main_pid) if main_pid else None
    if mistakes := ask_to_reload(path or _where_it_listens(invocation)):
        raise SettingsError(*mistakes, hint="The daemon goes on with the settings before.")
    if invocation.json:
        print_json({"reloaded": True})
    elif invocation.verbosity != "quiet":
        click.echo("The daemon read its settings anew, and goes by them.")
    return 0


def _where_it_listens(invocation: Invocation) -> "Path":
    """Find the daemon of these settings; if they are wrong, the one to refuse them in its log."""
    from backupd.daemon.control import find_daemon, socket_path  # noqa: PLC0415
    from backupd.errors import SettingsError  # noqa: PLC0415
    from backupd.settings.read import chosen_env_file  # noqa: PLC0415

    try:
        return socket_path(os.environ, invocation.app().set_name)
    except SettingsError:
        env_file = str(chosen_env_file(os.environ, invocation.env_file) or "")
        path = find_daemon(os.environ, lambda state: state.env_file == env_file)
        if path is None:
            raise
        return path
