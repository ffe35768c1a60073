"""`backupd list`: what there is, by destination."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import click

from backupd.cli.invocation import Invocation, global_options
from backupd.cli.render import age, moment, print_json, size, table
from backupd.errors import DestinationError

if TYPE_CHECKING:
    from backupd.catalog import Catalog
    from backupd.model import Backup
    from backupd.wiring import App


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one destination holds."""

    name: str
    destination: str
    reachable: bool
    error: str
    count: int
    bytes: int
    newest: datetime | None
    oldest: datetime | None


@click.command("list")
@global_options
@click.pass_obj
def list_(invocation: Invocation) -> int:
    """List what every destination holds."""
    app = invocation.app()
    rows = [_row(catalog) for catalog in app.catalogs()]
    if invocation.json:
        print_json(rows)
    else:
        click.echo(_table(app, rows))
        for row in rows:
            if row.error:
                click.echo(f"{row.destination}: {row.error}", err=True)
    return 0 if all(row.reachable for row in rows) else 1


def _row(catalog: "Catalog") -> Row:
    backups: list[Backup] = []
    error = ""
    try:
        backups = catalog.backups()
    except DestinationError as failure:
        error = str(failure)
    return Row(
        name=catalog.set_name,
        destination=catalog.destination.name,
        reachable=not error,
        error=error,
        count=len(backups),
        bytes=sum(backup.size for backup in backups),
        newest=backups[0].created_at if backups else None,
        oldest=backups[-1].created_at if backups else None,
    )


def _table(app: "App", rows: list[Row]) -> str:
    headings = (
        "Name",
        "Destination",
        "Reachable",
        "Count",
        "Size",
        "Newest backup",
        "Oldest backup",
    )

    def when(moment_: datetime | None) -> str:
        if moment_ is None:
            return "none"
        return f"{moment(moment_, app.zone)} ({age(app.clock.now() - moment_)})"

    cells = [
        (
            row.name,
            row.destination,
            "yes" if row.reachable else "no",
            str(row.count),
            size(row.bytes),
            when(row.newest),
            when(row.oldest),
        )
        for row in rows
    ]
    return table(headings, cells, right=(3, 4))
