"""App → the operation that verifies backups, and how every operation reads them back.

Apart from `recovery.py`, because verifying needs none of what restoring imports (0.05 s).
"""

from collections.abc import Sequence

from backupd.archive.workers import default_workers
from backupd.catalog import Catalog
from backupd.naming import LATEST
from backupd.operations.retrieve import Reading
from backupd.operations.verify import Verify
from backupd.wiring import App


def verify(
    app: App, *, backup: str = LATEST, destinations: Sequence[str] = (), percent: int = 100
) -> Verify:
    """Make the operation that verifies a backup at every destination that has it.

    Raises:
        UnknownNameError: a destination is asked for that is not set.
    """
    return Verify(
        catalogs=tuple(catalogs_of(app, destinations)),
        backup=backup,
        reading=reading(app),
        clock=app.clock,
        percent=percent,
    )


def reading(app: App, *, skip_damaged: bool = False) -> Reading:
    """Say how archives of this set are read."""
    password = app.settings.archive_password
    return Reading(
        password=password.get_secret_value() if password else None,
        zone=app.zone,
        workers=default_workers(),
        skip_damaged=skip_damaged,
    )


def catalogs_of(app: App, destinations: Sequence[str]) -> list[Catalog]:
    """Give the backups of the named destinations, or of all."""
    return [
        app.catalog(delivery.destination, app.set_name) for delivery in app.deliveries(destinations)
    ]
