"""Settings → App: the only module that knows every concrete class."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pydantic import BaseModel, SecretStr

from backupd.catalog import Catalog, Known
from backupd.channels import Channels
from backupd.clock import SystemClock
from backupd.errors import SettingsError, UnknownNameError
from backupd.history import History
from backupd.lock import SetLock
from backupd.logs import Redactor
from backupd.model import Scope
from backupd.operations.backup import DatabaseSource, TakeBackup
from backupd.operations.deliver import Delivery
from backupd.operations.perform import Performer
from backupd.ports import Clock, Destination, Observer, Source
from backupd.settings import Loaded
from backupd.settings.places import Database, LocalDestination, S3Destination
from backupd.settings.schema import Destination as DestinationSettings

if TYPE_CHECKING:
    from backupd.operations.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRequest:
    """What one backup is asked for, beyond the settings."""

    only_db: bool = False
    only_files: bool = False
    databases: tuple[str, ...] = ()
    """Only these; empty: all."""
    only_to: tuple[str, ...] = ()
    """Only these destinations; empty: all."""
    exclude: tuple[str, ...] = ()
    """More gitignore patterns to leave out."""
    suffix: str = ""

    @property
    def scope(self) -> Scope:
        """How much of the set it takes."""
        if self.databases or self.exclude:
            return Scope.SELECTED
        if self.only_db:
            return Scope.ONLY_DB
        return Scope.ONLY_FILES if self.only_files else Scope.FULL


class App:
    """One backup set, wired together from its settings."""

    def __init__(
        self, loaded: Loaded, process: Mapping[str, str], clock: Clock | None = None
    ) -> None:
        self.loaded = loaded
        self.settings = loaded.settings
        self.clock = clock or SystemClock()
        self.root = Path(os.path.abspath(self.settings.source.root))  # noqa: PTH100  (links stay)
        self.set_name = self.settings.name or _name_after(self.root)
        self.zone = self.settings.timezone or _system_zone()
        base = _state_directory(process)
        self.state = base / self.set_name
        self.spool = self.settings.spool or self.state / "spool"
        self.history = History(self.state / "history.sqlite")
        self.lock = SetLock(self.state / "lock")
        self.redactor = Redactor(_secrets(self.settings))
        self.channels = Channels(
            settings=self.settings,
            set_name=self.set_name,
            state=self.state,
            zone=self.zone,
            clean=self.redactor.clean,
            clock=self.clock,
        )
        self._places = self._all_places(base)

    def status(self) -> "Status":
        """Tell how the set is, from what is on the disk.

        Raises:
            BackupdError: the history or the outbox cannot be used.
        """
        from backupd.operations.status import Records, look  # noqa: PLC0415  (costs 0.05 s)

        records = Records(history=self.history, outbox=self.channels.outbox(), lock=self.lock)
        return look(self.set_name, tuple(self._places), records, self.clock.now())

    def metrics(self) -> Observer | None:
        """Make the observer that writes the figures for Prometheus; None if none are wanted."""
        if (directory := self.settings.metrics.directory) is None:
            return None
        from backupd.observers.metrics import MetricsFile  # noqa: PLC0415
        from backupd.operations.figures import metrics_text  # noqa: PLC0415

        path = directory / f"backupd-{self.set_name}.prom"
        return MetricsFile(path=path, text=lambda: metrics_text(self.status()))

    def performer(self, observe: Observer) -> Performer:
        """Make the one that runs operations on this set."""
        return Performer(set_name=self.set_name, lock=self.lock, clock=self.clock, observe=observe)

    def catalogs(self) -> list[Catalog]:
        """Give the backups of every destination."""
        return [self.catalog(each.destination, self.set_name) for each in self.deliveries()]

    def catalog(self, destination: Destination, set_name: str) -> Catalog:
        """Give the backups of a set, this one or another, at a destination."""
        place = self._places[destination.name]
        locks = place.object_lock_days if isinstance(place, S3Destination) else None
        return Catalog(
            destination=destination,
            set_name=set_name,
            zone=self.zone,
            known=lambda: self._known(destination.name),
            lock_days=locks or 0,
        )

    def _known(self, destination: str) -> dict[str, Known]:
        """Tell what the history knows of the archives at a destination."""
        return {
            key: Known(size=copy.size, encrypted=copy.encrypted)
            for key, copy in self.history.copies(destination).items()
        }

    def deliveries(self, only_to: Sequence[str] = ()) -> list[Delivery]:
        """Make the destinations, all of them or those that are named.

        Raises:
            UnknownNameError: a name is none of a destination.
        """
        _refuse_unknown("destination", only_to, self._places)
        return [
            Delivery(destination=_destination(name, place), required=place.required)
            for name, place in self._places.items()
            if not only_to or name in only_to
        ]

    def backup(self, request: BackupRequest) -> TakeBackup:
        """Make the operation that takes a backup.

        Raises:
            UnknownNameError: a database or destination is asked for that is not set.
        """
        databases = self.settings.databases
        _refuse_unknown("database", request.databases, databases)
        wanted = request.databases or tuple(databases)
        last = self.history.last_success("backup")
        return TakeBackup(
            set_name=self.set_name,
            zone=self.zone,
            clock=self.clock,
            spool=self.spool,
            files=None if request.only_db else self._files(request.exclude),
            databases=[]
            if request.only_files
            else [(name, self._database(name, databases[name])) for name in wanted],
            deliveries=self.deliveries(request.only_to),
            scope=request.scope,
            password=_plain(self.settings.archive_password),
            suffix=request.suffix,
            bytes_expected=int(last.facts.get("bytes", 0)) if last else 0,
        )

    def _files(self, more_exclude: Sequence[str]) -> Source:
        from backupd.sources.files import FileTree  # noqa: PLC0415  (costs 0.05 s)
        from backupd.sources.sqlite import live_files  # noqa: PLC0415

        section = self.settings.source
        local = [each.path for each in self._places.values() if isinstance(each, LocalDestination)]
        live = [
            file
            for database in self.settings.databases.values()
            if (path := _sqlite_path(database, self.root)) is not None
            for file in live_files(path)
        ]
        return FileTree(
            root=self.root,
            include=section.include or (".",),
            exclude=(*section.exclude, *more_exclude),
            follow_symlinks=section.follow_symlinks,
            ignore_unreadable=section.ignore_unreadable,
            one_file_system=section.one_file_system,
            never=(self.spool, self.state, *local, *live),
        )

    def _database(self, name: str, section: Database) -> DatabaseSource:
        from backupd.sources.sqlite import SqliteDatabase  # noqa: PLC0415

        path = _sqlite_path(section, self.root)
        if path is None:
            raise SettingsError(
                f"BACKUP_DATABASES__{name.upper()}__URL: this version dumps SQLite databases only.",
            )

        def source(when: datetime, scratch: Path) -> Source:
            database = SqliteDatabase(
                name=name, path=path, scratch=scratch, when=when, zone=self.zone
            )
            if section.timeout is None:
                return database
            return replace(database, lock_timeout=section.timeout)

        return source

    def _all_places(self, base: Path) -> dict[str, DestinationSettings]:
        """Give the destinations by name: those that are set, else one under the state directory."""
        if self.settings.destinations:
            return dict(self.settings.destinations)
        return {"local": LocalDestination(type="local", path=base / "backups")}


def _destination(name: str, section: DestinationSettings) -> Destination:
    if isinstance(section, LocalDestination):
        from backupd.destinations.local import LocalDirectory  # noqa: PLC0415

        return LocalDirectory(name=name, path=section.path)
    raise SettingsError(
        f"BACKUP_DESTINATIONS__{name.upper()}__TYPE: this version delivers to local directories."
    )


def _refuse_unknown(what: str, asked: Sequence[str], known: Mapping[str, object]) -> None:
    for name in asked:
        if name not in known:
            names = ", ".join(sorted(known)) or "none is set"
            raise UnknownNameError(f"There is no {what} '{name}'. There is: {names}.")


def _sqlite_path(section: Database, root: Path) -> Path | None:
    """Read `sqlite:///path`: relative to the root, or absolute after a fourth slash."""
    scheme, _, rest = section.url.get_secret_value().partition("://")
    return root / rest.removeprefix("/").partition("?")[0] if scheme == "sqlite" else None


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def _name_after(root: Path) -> str:
    """Name a set after its root's last directory, as far as a set can be named so."""
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "-", root.name).strip("-._")
    return cleaned[:100] or "backup"


def _system_zone() -> ZoneInfo:
    import tzlocal  # noqa: PLC0415  (only where no zone is set)

    return ZoneInfo(tzlocal.get_localzone_name() or "UTC")


def _state_directory(process: Mapping[str, str]) -> Path:
    """Find where state is kept: systemd's StateDirectory, else the user's or the system's."""
    if given := process.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    if os.geteuid() == 0:
        return Path("/var/lib/backupd")
    home = process.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "backupd"


def _secrets(section: BaseModel) -> Iterator[str]:
    """Give every secret text in the settings, and the passwords within addresses."""
    for key in type(section).model_fields:
        value = getattr(section, key)
        for each in value.values() if isinstance(value, dict) else [value]:
            if isinstance(each, BaseModel):
                yield from _secrets(each)
            elif isinstance(each, SecretStr):
                text = each.get_secret_value()
                yield text
                if match := re.search(r"://[^/@]*:([^/]*)@", text):
                    yield match[1]
