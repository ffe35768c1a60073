"""Settings → App: the only module that knows every concrete class."""

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from backupd.archive.making import Making
from backupd.catalog import Catalog, Known
from backupd.channels import Channels
from backupd.clock import SystemClock
from backupd.database_wiring import database_source, sqlite_path
from backupd.errors import DestinationError, UnknownNameError
from backupd.history import History
from backupd.lock import SetLock
from backupd.logs import Redactor
from backupd.model import Backup, Compression, Scope
from backupd.operations.deliver import Deliver, Delivery
from backupd.operations.perform import Performer
from backupd.operations.request import BackupRequest
from backupd.places import Places, all_places, local_paths, refuse_shared
from backupd.policies import retention_policy
from backupd.ports import Clock, Destination, Observer, Source
from backupd.records import ArchiveRecord, CopyRecord, ProofRecord, condition_of
from backupd.retention import make_plan
from backupd.row_log import RowLog
from backupd.settings import Loaded
from backupd.settings.places import S3Destination
from backupd.spool import Spool
from backupd.surroundings import name_after, secrets, state_directory, system_zone

_OF_RESTORES = (".backupd-restore-*/", ".backupd-*.partial")
"""What a restore that was killed may have left in the tree."""

if TYPE_CHECKING:
    from backupd.operations.backup import TakeBackup
    from backupd.operations.status import Status


class App:
    """One backup set, wired together from its settings."""

    def __init__(
        self, loaded: Loaded, process: Mapping[str, str], clock: Clock | None = None
    ) -> None:
        self.loaded = loaded
        self.settings = loaded.settings
        self.clock = clock or SystemClock()
        self.root = Path(os.path.abspath(self.settings.source.root))  # noqa: PTH100  (links stay)
        self.set_name = self.settings.name or name_after(self.root)
        self.zone = self.settings.timezone or system_zone()
        base = state_directory(process)
        self.state = base / self.set_name
        self.spool = self.settings.spool or self.state / "spool"
        self.history = History(self.state / "history.sqlite")
        self.lock = SetLock(self.state / "lock")
        self.redactor = Redactor(secrets(self.settings))
        self.channels = Channels(
            settings=self.settings,
            set_name=self.set_name,
            state=self.state,
            zone=self.zone,
            clean=self.redactor.clean,
            clock=self.clock,
        )
        self._places = all_places(self.settings, base)
        self._local = local_paths(self._places)
        refuse_shared(self.spool, self._local)
        self._stopping = threading.Event()

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
        built = self.history.archives()
        copies = self.history.copies(destination)
        proofs = self.history.proofs(destination)
        return {
            key: _known(copies.get(key), built.get(key), proofs.get(key, ()))
            for key in {*copies, *proofs}
        }

    def deliveries(self, only_to: Sequence[str] = ()) -> list[Delivery]:
        """Make the destinations, all of them or those that are named.

        Raises:
            UnknownNameError: a name is none of a destination.
        """
        _refuse_unknown("destination", only_to, self._places)
        places = Places(
            settings=self.settings,
            set_name=self.set_name,
            zone=self.zone,
            state=self.state,
            clock=self.clock,
            history=self.history,
            stopping=self._stopping,
        )
        return [
            places.delivery(name, place)
            for name, place in self._places.items()
            if not only_to or name in only_to
        ]

    def open_spool(self) -> Spool:
        """Give the spool: the archives of this set that wait for their delivery."""
        return Spool(
            path=self.spool,
            set_name=self.set_name,
            zone=self.zone,
            destinations=tuple(self._local.values()),
            scope_of=self._scope_of,
        )

    def _scope_of(self, archive: Path) -> Scope | None:
        from backupd.archive.scope import scope_of  # noqa: PLC0415  (is seldom asked)

        return scope_of(archive, _plain(self.settings.archive_password) or "")

    def deliver(self, only_to: Sequence[str] = ()) -> Deliver:
        """Make the operation that delivers what waits in the spool, and what sisters lack.

        Raises:
            UnknownNameError: a name is none of a destination.
        """
        return Deliver(
            spool=self.open_spool(),
            deliveries=self.deliveries(only_to),
            clock=self.clock,
            awaited=frozenset(name for name, place in self._places.items() if place.required),
            wanted=self._wanted,
            stopping=self._stopping,
        )

    def _making(self, request: BackupRequest) -> Making:
        return Making(
            compression=Compression(self.settings.compression),
            hide_names=self.settings.encryption.hide_names,
            previous=None if request.full else self._previous(),
            full_every=timedelta(days=self.settings.full_every_days),
        )

    def _previous(self) -> Path | None:
        """Find the newest full archive on this machine, for unchanged members to come from."""
        found = []
        for each in self.deliveries(tuple(self._local)) if self._local else ():
            with suppress(DestinationError):
                catalog = self.catalog(each.at_once, self.set_name)
                folder = self._local[each.destination.name]
                if backup := catalog.to_carry_from(self.clock.now()):
                    found.append((backup.created_at, folder / backup.key))
        kept = self.open_spool().previous
        newest = max(found, default=(None, kept if kept.exists() else None))
        return newest[1]

    def _wanted(self, backups: Sequence[Backup]) -> set[str]:
        """Say which of these backups retention would keep."""
        policy = retention_policy(self.settings, self.zone)
        plan = make_plan(policy, backups, self.clock.now())
        return {verdict.backup.key for verdict in plan.kept}

    def backup(self, request: BackupRequest) -> "TakeBackup":
        """Make the operation that takes a backup.

        Raises:
            UnknownNameError: a database or destination is asked for that is not set.
        """
        from backupd.operations.backup import TakeBackup  # noqa: PLC0415  (10 MiB, not the daemon's)

        databases = self.settings.databases
        _refuse_unknown("database", request.databases, databases)
        wanted = request.databases or tuple(databases)
        last = self.history.last_success("backup")
        return TakeBackup(
            set_name=self.set_name,
            root=self.root,
            zone=self.zone,
            clock=self.clock,
            files=None if request.only_db else self._files(request.exclude),
            databases=[]
            if request.only_files
            else [
                (name, database_source(name, databases[name], self.root, self.zone))
                for name in wanted
            ],
            looking_back=RowLog(self.history).looking_back(
                self.settings.monitor.max_shrink_percent
            ),
            delivering=self.deliver(request.only_to),
            scope=request.scope,
            password=_plain(self.settings.archive_password),
            making=self._making(request),
            keeps_last=self.settings.spool_keep_last and not self._local,
            suffix=request.suffix,
            bytes_expected=int(last.facts.get("bytes", 0)) if last else 0,
        )

    def sqlite_path(self, name: str) -> Path | None:
        """Tell where a database's file is; None if it is not SQLite."""
        return sqlite_path(self.settings.databases[name], self.root)

    def _files(self, more_exclude: Sequence[str]) -> Source:
        from backupd.sources.files import FileTree  # noqa: PLC0415  (costs 0.05 s)
        from backupd.sources.sqlite import live_files  # noqa: PLC0415

        section = self.settings.source
        live = [
            file
            for database in self.settings.databases.values()
            if (path := sqlite_path(database, self.root)) is not None
            for file in live_files(path)
        ]
        return FileTree(
            root=self.root,
            include=section.include or (".",),
            exclude=(*section.exclude, *more_exclude, *_OF_RESTORES),
            follow_symlinks=section.follow_symlinks,
            ignore_unreadable=section.ignore_unreadable,
            one_file_system=section.one_file_system,
            never=(self.spool, self.state, *self._local.values(), *live),
        )


def _known(
    copy: CopyRecord | None, archive: ArchiveRecord | None, proofs: Sequence[ProofRecord]
) -> Known:
    """Put together what the history has on one archive; `proofs` are newest first."""
    return Known(
        size=copy.size if copy else None,
        condition=condition_of(proofs),
        verified_at=next((proof.at for proof in proofs if not proof.flaw), None),
        encrypted=archive.encrypted if archive else None,
    )


def _refuse_unknown(what: str, asked: Sequence[str], known: Mapping[str, object]) -> None:
    for name in asked:
        if name not in known:
            names = ", ".join(sorted(known)) or "none is set"
            raise UnknownNameError(f"There is no {what} '{name}'. There is: {names}.")


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
