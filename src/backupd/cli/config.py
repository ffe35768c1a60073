"""`backupd config`: check the settings, show them, print an example."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from backupd.cli.invocation import Invocation, global_options
from backupd.cli.render import print_json

if TYPE_CHECKING:
    from backupd.wiring import App


@click.group()
@global_options
def config() -> None:
    """Check or show the settings, or print a commented example."""


@config.command()
@global_options
@click.pass_obj
def check(invocation: Invocation) -> int:
    """Validate the settings and say every mistake."""
    app = invocation.app()
    doubts = list(_doubts(app))
    if invocation.verbosity != "quiet":
        for doubt in doubts:
            click.echo(f"Warning: {doubt}", err=True)
    if invocation.json:
        print_json({"valid": True, "warnings": [*app.loaded.warnings, *doubts]})
    elif invocation.verbosity != "quiet":
        where = app.loaded.env_file or "the process environment; there is no env file"
        click.echo(f"The settings of backup set '{app.set_name}' are valid (from {where}).")
    return 0


def _doubts(app: "App") -> Iterator[str]:
    if what := relative_root(app):
        yield f"{what}: from here, {app.root} would be backed up, and the daemon will not start."


def relative_root(app: "App") -> str:
    """Say why what is backed up depends on where backupd is started; "" if it does not."""
    if app.settings.source.root.is_absolute():
        return ""
    root = app.loaded.values.get("BACKUP_SOURCE__ROOT")
    what = f"({root.origin}) does not start with '/'" if root else "is not set"
    return f"BACKUP_SOURCE__ROOT {what}"


@config.command()
@global_options
@click.pass_obj
def show(invocation: Invocation) -> int:
    """Print the effective settings, secrets masked, and where each came from."""
    from backupd.settings import load_settings  # noqa: PLC0415  (costs 0.2 s)
    from backupd.settings.texts import effective  # noqa: PLC0415

    values = list(effective(load_settings(os.environ, invocation.env_file)))
    if invocation.json:
        print_json([{"name": name, "value": value, "origin": at} for name, value, at in values])
    else:
        for name, value, origin in values:
            click.echo(f"{name}={value}  # {origin}")
    return 0


@config.command()
@global_options
@click.pass_obj
def example(invocation: Invocation) -> int:
    """Print an env file with every setting, commented."""
    from backupd.settings.texts import env_example  # noqa: PLC0415  (costs 0.2 s)

    if invocation.json:
        print_json({"text": env_example()})
    else:
        click.echo(env_example(), nl=False)
    return 0
