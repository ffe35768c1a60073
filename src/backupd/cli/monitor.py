"""`backupd monitor`: how healthy every destination is."""

from typing import TYPE_CHECKING

import click

from backupd.cli.invocation import Invocation, global_options, stoppable
from backupd.cli.render import print_json, printable
from backupd.cli.run import EXIT_CODES
from backupd.cli.telling import telling
from backupd.words import age, plural, size

if TYPE_CHECKING:
    from datetime import datetime

    from backupd.health import Health


@click.command(short_help="Check the health of every destination.")
@global_options
@click.pass_obj
def monitor(invocation: Invocation) -> int:
    """Check the health of every destination; exit with 1 if anything is wrong."""
    from backupd import care  # noqa: PLC0415  (costs 0.3 s)

    app = invocation.app()
    with stoppable(), telling(app, disabled=False) as tell:
        report = app.performer(invocation.observers(app, [tell])).perform(care.monitor(app))
    now = app.clock.now()
    if invocation.json:
        healths = [as_document(health, now) for health in report.healths]
        print_json({"outcome": report.outcome, "destinations": healths})
    elif invocation.verbosity != "quiet":
        for health in report.healths:
            _print_health(health, now)
    return EXIT_CODES[report.outcome]


def as_document(health: "Health", now: "datetime") -> dict[str, object]:
    """Lay a health out as `docs/reference/json.md` describes it."""
    newest, oldest = health.newest, health.oldest
    return {
        "name": health.set_name,
        "destination": health.destination,
        "reachable": health.reachable,
        "healthy": health.healthy,
        "count": health.count,
        "bytes": health.total_bytes,
        "newest": newest.created_at if newest else None,
        "newest_bytes": newest.size if newest else None,
        "newest_age_seconds": round((now - newest.created_at).total_seconds()) if newest else None,
        "oldest": oldest.created_at if oldest else None,
        "findings": health.findings,
    }


def _print_health(health: "Health", now: "datetime") -> None:
    place = f"{health.set_name} at {health.destination}"
    if health.healthy:
        click.secho(f"✅ Backup {place} is healthy", fg="green")
    else:
        count = plural(len(health.findings), "finding")
        click.secho(f"❌ Backup {place} is not healthy: {count}", fg="red")
    for finding in health.findings:
        click.echo(click.wrap_text(printable(finding.message), 80, "   - ", "     "))
        click.echo(click.wrap_text(finding.hint, 80, "     ", "     "))
    if health.newest is not None:
        click.echo(f"   Last backup: {age(now - health.newest.created_at)} ago")
        click.echo(f"   Size: {size(health.newest.size)}")
        click.echo(f"   In all: {plural(health.count, 'backup')}, {size(health.total_bytes)}")
