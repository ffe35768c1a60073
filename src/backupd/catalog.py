"""What a destination holds, as backups."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from backupd.model import Backup, Condition, Scope, StoredObject
from backupd.naming import archive_number, archive_of, archive_time, pin_key, scope_among
from backupd.ports import Destination

_SMALLEST_ZIP = 22
"""Bytes of the end record alone (APPNOTE 4.3.16)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of an archive at a destination beside what a listing tells."""

    size: int | None = None
    """Of what was delivered."""
    condition: Condition = Condition.UNPROVED
    verified_at: datetime | None = None
    encrypted: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Everything at one destination whose name begins as that of the backup set."""

    backups: tuple[Backup, ...] = ()
    """The newest first."""
    beside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Keys of checksums and marks, by the archive that they stand beside."""
    orphans: tuple[StoredObject, ...] = ()
    """Checksums and marks whose archive is not there."""
    foreign: tuple[str, ...] = ()
    """What is not ours: archives of another set with a longer name, and anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The backups of one backup set at one destination; names of any other shape do not exist.

    One listing tells all: time and set by an archive's name, and by small objects beside it
    (`<archive>.pinned`, `<archive>.only-db`) what any machine that cleans must know.
    """

    destination: Destination
    set_name: str
    zone: tzinfo
    known: Callable[[], Mapping[str, Known]] = dict
    """Asks what is known, by key."""
    lock_days: int = 0
    """For how many days the destination itself refuses to delete an object."""

    def backups(self) -> list[Backup]:
        """List the backups, the newest first.

        Raises:
            DestinationError: the destination cannot be listed.
        """
        return list(self.holding().backups)

    def to_carry_from(self, now: datetime) -> Backup | None:
        """Find the newest full backup that may be good; one of a later time tells no changes.

        Raises:
            DestinationError: the destination cannot be listed.
        """
        usable = (
            backup
            for backup in self.backups()
            if backup.scope is Scope.FULL and backup.condition is not Condition.DAMAGED
            if backup.created_at <= now
        )
        return next(usable, None)

    def holding(self) -> Holding:
        """List everything that is the set's, and count what is not (see `backups`)."""
        groups: dict[str, dict[str, StoredObject]] = {}
        for stored in self.destination.list(f"{self.set_name}-"):
            groups.setdefault(archive_of(stored.key), {})[stored.key] = stored
        known = self.known()
        backups, orphans, foreign = [], list[StoredObject](), list[str]()
        beside: dict[str, tuple[str, ...]] = {}
        for archive, group in groups.items():
            created_at = archive_time(self.set_name, archive, self.zone)
            if created_at is None:
                foreign.extend(group)
            elif archive in group:
                stored = group.pop(archive)
                beside[archive] = tuple(group)
                backups.append(self._backup(stored, created_at, group, known.get(archive, Known())))
            else:
                orphans.extend(group.values())
        backups.sort(key=lambda backup: backup.rank[1:], reverse=True)
        return Holding(
            backups=tuple(backups), beside=beside, orphans=tuple(orphans), foreign=tuple(foreign)
        )

    def _backup(
        self, archive: StoredObject, created_at: datetime, marks: Collection[str], known: Known
    ) -> Backup:
        locked_until = archive.modified_at + timedelta(days=self.lock_days)
        cut = archive.size < _SMALLEST_ZIP or known.size not in {None, archive.size}
        return Backup(
            set_name=self.set_name,
            destination=self.destination.name,
            key=archive.key,
            created_at=created_at,
            size=archive.size,
            ordinal=archive_number(archive.key),
            scope=scope_among(archive.key, marks),
            condition=Condition.DAMAGED if cut else known.condition,
            verified_at=known.verified_at,
            encrypted=known.encrypted,
            pinned=pin_key(archive.key) in marks,
            locked_until=locked_until if self.lock_days else None,
        )


def dated_by_now(backups: Sequence[Backup], now: datetime) -> Sequence[Backup]:
    """Leave out those that a wrong clock dated in the future, unless there are no others."""
    return [backup for backup in backups if backup.created_at <= now] or backups
