"""`backupd notify`: try the channels that people are told over."""

from typing import TYPE_CHECKING

import click

from backupd.cli.invocation import Invocation, global_options
from backupd.cli.render import print_json
from backupd.errors import NotifierError, UnknownNameError

if TYPE_CHECKING:
    from backupd.wiring import App


@click.group()
@global_options
def notify() -> None:
    """Try the channels that people are told over."""


@notify.command()
@click.argument("channel", required=False)
@global_options
@click.pass_obj
def test(invocation: Invocation, channel: str | None) -> int:
    """Send a test message to every channel, or to one, as mail or slack."""
    results = send_samples(invocation.app(), channel)
    if invocation.json:
        print_json(
            [
                {"channel": name, "sent": not error, "error": error}
                for name, error in results.items()
            ]
        )
    else:
        for name, why in results.items():
            click.echo(f"{name}: {why or 'sent'}", err=bool(why))
    return 1 if any(results.values()) else 0


def send_samples(app: "App", channel: str | None = None) -> dict[str, str]:
    """Send a test message to every channel, or to one; say by channel why it was not taken, or "".

    Raises:
        UnknownNameError: there is no such channel, or none at all.
    """
    from backupd.telling.messages import sample  # noqa: PLC0415

    notifiers = app.channels.notifiers()
    chosen = {
        name: notifier
        for name, notifier in notifiers.items()
        if channel in {None, name, name.partition(":")[0]}
    }
    if not chosen:
        known = ", ".join(notifiers) or "none is set up"
        raise UnknownNameError(
            f"There is no channel '{channel}'. There is: {known}."
            if channel
            else "No channel is set up, so nobody is told of anything.",
            hint="Set BACKUP_MAIL_TO, or an address under BACKUP_NOTIFY__…",
        )
    message = sample(app.channels.voice(), app.clock.now())
    results: dict[str, str] = {}
    for name, notifier in chosen.items():
        try:
            notifier.send(message)
            results[name] = ""
        except NotifierError as error:
            results[name] = app.redactor.clean(f"{error} {error.hint}")
    return results
