"""App → the operations that restore backups: restore, drill, and loading dumps."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backupd.archive.view import ObjectView
from backupd.catalog import Catalog
from backupd.database_wiring import database_loader, drill_loader
from backupd.errors import DestinationError, ObjectNotFoundError
from backupd.model import Backup, DatabaseFacts, Scope
from backupd.naming import LATEST
from backupd.operations.drill import Drill
from backupd.operations.in_place import InPlace
from backupd.operations.load import LoadDumps
from backupd.operations.restore import Restore
from backupd.operations.select import Selection, choose_backup, from_the_future, passed_over
from backupd.operations.sqlite_in_place import SqliteInPlace
from backupd.operations.staging import Application
from backupd.ports import Loader
from backupd.proving import catalogs_of, reading
from backupd.sources.sqlite import live_files
from backupd.wiring import App


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest:
    """What one restore is asked for."""

    target: Path | None
    """The directory to restore into; None: in place."""
    backup: str = LATEST
    at: datetime | None = None
    """The newest backup not after this moment."""
    destinations: tuple[str, ...] = ()
    """Only these; empty: all, the first in the settings first."""
    scope: Scope = Scope.FULL
    patterns: tuple[str, ...] = ()
    overwrite: bool = False
    skip_damaged: bool = False


def restore(app: App, request: RestoreRequest) -> tuple[Restore | InPlace, tuple[str, ...]]:
    """Make the operation that restores; and say what it does without.

    That is destinations that did not answer, and newer backups that are known to be damaged or
    dated in the future, and a full backup if there is none.

    Raises:
        ObjectNotFoundError: there is no such backup.
        DestinationError: no destination answered.
        UnknownNameError: a destination is asked for that is not set.
    """
    copies, notes = _copies(app, request)
    selection = Selection(scope=request.scope, patterns=request.patterns, root=app.root)
    how = reading(app, skip_damaged=request.skip_damaged)
    if request.target is None:
        application = application_of(app)
        in_place = InPlace(
            copies=copies,
            application=application,
            selection=selection,
            reading=how,
            clock=app.clock,
        )
        return in_place, notes
    target = Path(os.path.abspath(request.target))  # noqa: PTH100  (links stay)
    to_directory = Restore(
        copies=copies,
        target=target,
        selection=selection,
        reading=how,
        overwrite=request.overwrite,
    )
    return to_directory, notes


def application_of(app: App) -> Application:
    """Say where the application lives, and how it is stopped and started."""
    included = (app.root / path for path in app.settings.source.include)
    outside = [path for path in included if not path.is_relative_to(app.root)]
    paths = {name: app.sqlite_path(name) for name in app.settings.databases}
    return Application(
        root=app.root,
        outside=tuple(outside),
        databases={
            name: SqliteInPlace(path=path, root=app.root, was_at=Path(os.path.realpath(path)))
            for name, path in paths.items()
            if path
        },
        live=tuple(file for path in paths.values() if path for file in live_files(path)),
        before=app.settings.restore.before,
        after=app.settings.restore.after,
    )


def drill(app: App, *, destinations: Sequence[str] = ()) -> Drill:
    """Make the operation that really restores the newest backup of each destination.

    Raises:
        UnknownNameError: a destination is asked for that is not set.
    """
    return Drill(
        catalogs=tuple(catalogs_of(app, destinations)),
        reading=reading(app),
        clock=app.clock,
        scratch=app.open_spool().own("drill"),
        loader=drill_loader(app.settings.drill),
    )


def load_dumps(
    app: App, request: RestoreRequest, *, databases: Sequence[str] = (), to_url: str = ""
) -> tuple[LoadDumps, tuple[str, ...]]:
    """Make the operation that loads dumps; and say what it does without, as `restore` does.

    Raises:
        ObjectNotFoundError, DestinationError, UnknownNameError: as `restore`.
    """
    copies, notes = _copies(app, request)
    sections = app.settings.databases

    def loader_for(facts: DatabaseFacts) -> Loader:
        section = sections.get(facts.name.partition(".")[0])
        return database_loader(facts, section, to_url)

    operation = LoadDumps(
        copies=copies,
        reading=reading(app),
        loader_for=loader_for,
        databases=databases,
        overwrite=request.overwrite,
    )
    return operation, notes


def _copies(app: App, request: RestoreRequest) -> tuple[tuple[ObjectView, ...], tuple[str, ...]]:
    """Find the copies of the backup that is asked for; and say what is done without."""
    catalogs = catalogs_of(app, request.destinations)
    backups, unanswered = _all_backups(catalogs)
    if not backups:
        where = "' and '".join(catalog.destination.name for catalog in catalogs)
        raise ObjectNotFoundError(
            f"There is no backup of '{app.set_name}' at '{where}'.",
            hint="BACKUP_NAME says whose backups are looked for; PATH, or BUCKET and PREFIX, say "
            "where.",
        )
    destinations = {catalog.destination.name: catalog.destination for catalog in catalogs}
    chosen = choose_backup(
        backups, now=app.clock.now(), name=request.backup, at=request.at, scope=request.scope
    )
    notes = [f"Not asked: {failure}" for failure in unanswered]
    if request.backup == LATEST:
        notes += _on_the_latest(backups, chosen, request, app.clock.now())
    copies = tuple(
        ObjectView(destination=destinations[each.destination], key=each.key, size=each.size)
        for each in chosen
    )
    return copies, tuple(notes)


def _on_the_latest(
    backups: Sequence[Backup], chosen: Sequence[Backup], request: RestoreRequest, now: datetime
) -> Iterator[str]:
    """Say what is not as whoever asks for the latest backup expects."""
    at, scope = request.at, request.scope
    for key in passed_over(backups, chosen, now=now, at=at, scope=scope):
        yield (
            f"Passed over: {key} is newer, and known to be damaged. Named, and with "
            "--skip-damaged, it gives what is whole in it."
        )
    for key in from_the_future(backups, chosen, now=now, at=at):
        yield (
            f"Passed over: {key} is dated in the future, by a clock that was wrong. Name it to "
            "restore it."
        )
    if chosen[0].scope not in {Scope.FULL, scope}:
        yield (
            f"Not a full backup: {chosen[0].key} is '{chosen[0].scope}', and there is no full one "
            "to take instead."
        )


def _all_backups(catalogs: Sequence[Catalog]) -> tuple[list[Backup], tuple[str, ...]]:
    backups: list[Backup] = []
    failures: list[DestinationError] = []
    for catalog in catalogs:
        try:
            backups += catalog.backups()
        except DestinationError as error:
            failures.append(error)
    if failures and not backups:
        raise failures[0]
    return backups, tuple(map(str, failures))
