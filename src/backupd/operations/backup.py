"""Take a backup: dump, select, build one archive in the spool, deliver it everywhere."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

from backupd import __version__
from backupd.archive.making import Making
from backupd.archive.swap import half_swapped
from backupd.archive.writer import build_archive
from backupd.durable import sync_directory
from backupd.errors import ArchiveError, DestinationError, RefusedError, SourceError
from backupd.events import (
    ArchiveBuilt,
    ArchiveStarted,
    DumpStarted,
    LeftoversSwept,
    Progressed,
    SelectionStarted,
)
from backupd.model import Archive, ArchiveHeader, DatabaseFacts, Member, Omission, Scope
from backupd.naming import archive_name
from backupd.operations.ahead import Ahead
from backupd.operations.deliver import Deliver
from backupd.ports import Clock, Observer, Source
from backupd.reports import BackupReport

_PARTIAL = ".partial"

DatabaseSource = Callable[[datetime, Path], Source]
"""Makes a database's source for a run: its moment, and a scratch directory to copy into."""


def _as_it_is(facts: DatabaseFacts) -> DatabaseFacts:
    return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBackup:
    """One complete backup of a set; sources that are not asked for are not given to it."""

    set_name: str
    root: Path
    """The application's."""
    zone: ZoneInfo
    clock: Clock
    files: Source | None
    databases: Sequence[tuple[str, DatabaseSource]]
    delivering: Deliver
    scope: Scope = Scope.FULL
    password: str | None = None
    making: Making = field(default_factory=Making)
    """How the archive is made, and from which one unchanged members are carried over."""
    looking_back: Callable[[DatabaseFacts], DatabaseFacts] = _as_it_is
    """Compares a dump with those before it, and adds to its warnings."""
    keeps_last: bool = False
    """Whether the archive stays in the spool for the next one to carry members over from."""
    suffix: str = ""
    bytes_expected: int = 0
    """The size of the last archive: so much must be free in the spool."""
    name: str = "backup"

    @property
    def spool(self) -> Path:
        """Where archives are built."""
        return self.delivering.spool.path

    def run(self, observe: Observer) -> BackupReport:
        """Build first, deliver after.

        Raises:
            RefusedError: the application is half restored.
            SourceError: a source cannot be read as a whole, a dump failed.
            ArchiveError: the archive cannot be built; nothing was delivered.
        """
        self._refuse_half_restored()
        started_at = self.clock.now()
        with self._spool(observe) as scratch:
            archive = self._build(observe, started_at, scratch)
        archive = replace(archive, databases=tuple(map(self.looking_back, archive.databases)))
        observe(ArchiveBuilt(archive=archive))
        if self.keeps_last and self.scope is Scope.FULL:
            _keep(archive.path, self.delivering.spool.previous)
        delivered = replace(self.delivering, fresh=archive.name).run(observe)
        return BackupReport(
            archive=archive,
            copies=tuple(copy for copy in delivered.copies if copy.key == archive.name),
            late=tuple(copy for copy in delivered.copies if copy.key != archive.name),
            finished_at=delivered.finished_at,
        )

    def _refuse_half_restored(self) -> None:
        if folder := half_swapped(self.root):
            raise RefusedError(
                f"The application is half restored: {folder} is of a restore in place that was "
                "killed.",
                hint="Run the same 'backupd restore --in-place' again: it puts everything back "
                "first. Then take the backup.",
            )

    @contextmanager
    def _spool(self, observe: Observer) -> Iterator[Path]:
        """Make the spool ready, without what dead runs left; yield the run's scratch directory."""
        scratch = self.delivering.spool.own("scratch")
        try:
            self.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
            swept = self.delivering.spool.sweep()
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(mode=0o700)
            free = shutil.disk_usage(self.spool).free
        except OSError as error:
            raise ArchiveError(
                f"The spool {self.spool} cannot be used: {error.strerror}.",
                hint="Set BACKUP_SPOOL to a directory that backupd may write to.",
            ) from error
        if swept:
            observe(LeftoversSwept(where="spool", names=tuple(swept)))
        if free < self.bytes_expected:
            raise ArchiveError(
                f"The spool {self.spool} has {free:,} bytes free; the last archive needed "
                f"{self.bytes_expected:,}.",
                hint="Free some space there, or set BACKUP_SPOOL to a larger file system.",
            )
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _build(self, observe: Observer, now: datetime, scratch: Path) -> Archive:
        header = ArchiveHeader(
            archive=self._free_name(now),
            set_name=self.set_name,
            created_at=now,
            timezone=self.zone.key,
            scope=self.scope,
            version=__version__,
        )
        partial = self.spool / (header.archive + _PARTIAL)
        try:
            with Ahead(self._items(observe, now, scratch)) as items:
                zipping = _Zipping(items, observe)
                archive = build_archive(
                    items,
                    partial,
                    header,
                    password=self.password,
                    making=self.making,
                    on_progress=zipping.progressed,
                )
                zipping.announce()
            _refuse_empty(archive)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        self.delivering.spool.record(archive)
        return replace(archive, path=_published(partial, self.spool / header.archive))

    def _items(
        self, observe: Observer, now: datetime, scratch: Path
    ) -> Iterator[Member | Omission]:
        """Make the databases' members now; find the files as they are asked for."""
        dumps: list[Member | Omission] = []
        for name, database in self.databases:
            observe(DumpStarted(database=name))
            dumps += database(now, scratch).members()
        if self.files is None:
            return iter(dumps)
        observe(SelectionStarted())
        return chain(dumps, self.files.members())

    def _free_name(self, now: datetime) -> str:
        """Name the archive as nothing in the spool or at a destination is named."""
        number = 1
        while self._is_taken(
            name := archive_name(self.set_name, now, self.zone, suffix=self.suffix, number=number)
        ):
            number += 1
        return name

    def _is_taken(self, name: str) -> bool:
        if (self.spool / name).exists():
            return True
        for delivery in self.delivering.deliveries:
            try:
                if any(stored.key == name for stored in delivery.at_once.list(name)):
                    return True
            except DestinationError:
                continue  # its delivery will say what is wrong with it
        return False


def _refuse_empty(archive: Archive) -> None:
    if not archive.members:
        reason = next((omission.detail for omission in archive.omissions), "There was nothing.")
        raise SourceError(f"Nothing could be backed up: {reason}")


@dataclass(slots=True)
class _Zipping:
    """Says how far the archive is, and of how much as soon as all members are known."""

    items: Ahead
    observe: Observer
    done: int = 0
    is_announced: bool = False

    def progressed(self, count: int) -> None:
        """Say that so many bytes are in it by now."""
        self.done += count
        if self.items.is_complete:
            self.announce()
        total = self.items.content_bytes if self.is_announced else 0
        self.observe(Progressed(phase="zipping", done=self.done, total=total))

    def announce(self) -> None:
        """Say, once, what all members are together."""
        if not self.is_announced:
            self.is_announced = True
            members, size = self.items.members, self.items.content_bytes
            self.observe(ArchiveStarted(members=members, content_bytes=size))


def _keep(archive: Path, previous: Path) -> None:
    """Keep the archive under another name, which costs nothing until the first name is gone."""
    beside = previous.with_name(previous.name + _PARTIAL)
    try:
        beside.unlink(missing_ok=True)
        beside.hardlink_to(archive)
        beside.replace(previous)
    except OSError:
        previous.unlink(missing_ok=True)  # the next backup reads everything


def _published(partial: Path, target: Path) -> Path:
    """Give the finished archive its name in the spool, durably."""
    partial.rename(target)
    sync_directory(target.parent)
    return target
