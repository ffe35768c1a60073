"""`backupd status`: what the set does, how everything last came out, and what is wrong."""

import os
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from backupd.cli.invocation import Invocation, global_options
from backupd.cli.render import moment, plain, print_json, printable, table
from backupd.errors import BackupdError
from backupd.words import age, size

if TYPE_CHECKING:
    from datetime import datetime

    from backupd.daemon.state import DaemonState
    from backupd.operations.status import OperationState, Place, Status
    from backupd.wiring import App

_EVERY = 2.0


@click.command(short_help="Show what runs, how all came out, and what is wrong.")
@click.option("--follow", is_flag=True, help="Renew it every two seconds, until Ctrl-C.")
@global_options
@click.pass_obj
def status(invocation: Invocation, follow: bool) -> int:  # noqa: FBT001
    """Show what runs, how each operation last came out, each destination, and what is wrong."""
    if follow and invocation.json:
        raise click.UsageError("--follow and --json exclude each other.")
    app = invocation.app()
    if follow:
        with suppress(KeyboardInterrupt):
            _follow(app)
        return 0
    if invocation.json:
        print_json(_document(*_look(app)))
    else:
        click.echo(_screen(app))
    return 0


def _follow(app: "App") -> None:
    """Draw it again and again, until somebody stops it."""
    from rich.console import Console  # noqa: PLC0415  (costs 0.05 s)
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    with Live(console=Console(), screen=True, auto_refresh=False) as live:
        while True:
            live.update(Text(_screen(app)), refresh=True)
            time.sleep(_EVERY)


def _look(app: "App") -> tuple["Status", "DaemonState | None"]:
    """See what is on the disk, and ask the daemon, if one runs, for what only it knows."""
    from backupd.daemon.control import read_state, socket_path  # noqa: PLC0415

    seen, state = app.status(), None
    with suppress(BackupdError):  # another user's daemon
        state = read_state(socket_path(os.environ, app.set_name))
    if state is None:
        return seen, None
    coming = state.next_runs
    operations = tuple(
        replace(each, next_at=coming.get(each.operation)) for each in seen.operations
    )
    return replace(seen, operations=operations), state


def _document(seen: "Status", state: "DaemonState | None") -> dict[str, object]:
    """Give it to programs: the last hundred runs are enough."""
    whole: dict[str, object] = plain(seen)
    whole["runs"] = plain(seen.runs[:100])
    whole["daemon"] = plain(state)
    return whole


def _screen(app: "App") -> str:
    seen, state = _look(app)
    parts = [
        f"Backup set {seen.set_name}, {moment(seen.at, app.zone)}",
        _now(app, seen, state),
        _operations(app, seen),
        _destinations(app, seen),
        _problems(app, seen),
    ]
    return "\n\n".join(part for part in parts if part)


def _now(app: "App", seen: "Status", state: "DaemonState | None") -> str:
    if state is not None:
        from backupd.daemon.state import status_line  # noqa: PLC0415

        mistakes = [f"! {mistake}" for mistake in state.reload_mistakes]
        return "\n".join([f"Daemon: {status_line(state, seen.at, app.zone)}", *mistakes])
    if not seen.running:
        return "Nothing runs now."
    running = seen.running
    return f"Now: {running.get('operation', 'an operation')} (pid {running.get('pid', '?')})"


def _operations(app: "App", seen: "Status") -> str:
    headings = ("Operation", "Last run", "Outcome", "Took", "Last success", "Next run")
    rows = [
        _operation(app, seen, state)
        for state in seen.operations
        if state.last is not None or state.next_at is not None
    ]
    return table(headings, rows) if rows else "Nothing has run yet."


def _operation(app: "App", seen: "Status", state: "OperationState") -> tuple[str, ...]:
    last, success = state.last, state.last_success
    return (
        state.operation,
        moment(last.ended_at, app.zone) if last else "never",
        last.outcome if last else "",
        _seconds((last.ended_at - last.started_at).total_seconds()) if last else "",
        _when(app, seen, success.ended_at if success else None),
        moment(state.next_at, app.zone) if state.next_at else "",
    )


def _destinations(app: "App", seen: "Status") -> str:
    headings = ("Destination", "Newest copy", "Size", "Healthy", "Count", "Held", "Verified")
    rows = [_destination(app, seen, place) for place in seen.destinations]
    return table(headings, rows, right=(2, 4, 5))


def _destination(app: "App", seen: "Status", place: "Place") -> tuple[str, ...]:
    newest, sighting = place.newest, place.seen
    healthy = "" if sighting is None else "yes" if sighting.healthy else "no"
    verified = _when(app, seen, place.damaged_at or place.verified_at)
    return (
        place.destination,
        _when(app, seen, newest.at if newest else None),
        size(newest.size) if newest else "",
        healthy,
        str(sighting.count) if sighting and sighting.reachable else "",
        size(sighting.bytes) if sighting and sighting.reachable else "",
        f"BAD {verified}" if place.damaged_at else verified,
    )


def _problems(app: "App", seen: "Status") -> str:
    lines = [
        f"! {printable(each.problem.text)} (since {moment(each.since, app.zone)})"
        for each in seen.problems
    ]
    if seen.waiting:
        first = seen.waiting[0]
        why = f": {first.error}" if first.error else ""
        count = len(seen.waiting)
        what = "1 message waits" if count == 1 else f"{count} messages wait"
        lines.append(f"{what} to be sent; {first.channel}{why}")
    return app.redactor.clean("\n".join(lines))


def _when(app: "App", seen: "Status", at: "datetime | None") -> str:
    return f"{moment(at, app.zone)} ({age(seen.at - at)})" if at else "never"


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
