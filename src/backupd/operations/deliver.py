"""Bring every archive to every destination that lacks it, from the spool or from a sister."""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from backupd.errors import ArchiveError, DestinationError
from backupd.events import CopyEnded, SpoolHolds
from backupd.model import Backup, SpooledArchive
from backupd.operations.copying import Copying, Delivery, Standing, Wanted, as_backups, as_sizes
from backupd.operations.side_by_side import side_by_side
from backupd.operations.sisters import Gap, fetch, gaps
from backupd.ports import Clock, Observer
from backupd.reports import Copy, DeliveryReport
from backupd.spool import Spool

__all__ = ["Deliver", "Delivery", "Wanted", "all_of_them"]


def all_of_them(backups: Sequence[Backup]) -> Collection[str]:
    """Want every backup."""
    return {backup.key for backup in backups}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Delivers to all destinations at the same time; one that fails does not hurt the others.

    The spool lets go of an archive once every awaited destination has it.
    """

    spool: Spool
    deliveries: Sequence[Delivery]
    clock: Clock
    awaited: Collection[str]
    """Names of the destinations without whose copy an archive stays in the spool."""
    wanted: Wanted = all_of_them
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the deliveries are to end; what waits before another try waits on it."""
    fresh: str = ""
    """The archive that this run built."""
    name: str = "deliver"

    def run(self, observe: Observer) -> DeliveryReport:
        """Deliver what is missing.

        Raises:
            ArchiveError: the spool cannot be used.
        """
        self.stopping.clear()
        self.spool.forget_orphans()
        archives = self.spool.archives()
        standings = side_by_side(
            {name: partial(copying.run, archives) for name, copying in self._copyings().items()},
            observe,
            self.stopping,
        )
        copies = [copy for standing in standings.values() for copy in standing.copies]
        self._let_go(archives, standings, observe)
        copies += self._from_sisters(archives, standings, observe)
        return DeliveryReport(copies=tuple(copies), finished_at=self.clock.now())

    def _copyings(self) -> dict[str, Copying]:
        return {
            delivery.destination.name: Copying(
                delivery=delivery,
                spool=self.spool,
                wanted=self.wanted,
                clock=self.clock,
                stopping=self.stopping,
                fresh=self.fresh,
            )
            for delivery in self.deliveries
        }

    def _let_go(
        self,
        archives: Sequence[SpooledArchive],
        standings: Mapping[str, Standing],
        observe: Observer,
    ) -> None:
        """Empty the spool of what is everywhere, and of what is somewhere and too old to wait."""
        current = {*self.wanted(as_backups(as_sizes(archives), "", self.spool)), self.fresh}
        staying: list[SpooledArchive] = []
        waiting_for: set[str] = set()
        for archive in archives:
            somewhere = any(archive.name in (each.holds or {}) for each in standings.values())
            lacking = {
                name
                for name in self.awaited
                if name not in standings or archive.name not in standings[name].settled
            }
            if somewhere and (not lacking or archive.name not in current):
                self.spool.remove(archive.name)
            else:
                staying.append(archive)
                waiting_for |= lacking or set(standings)
        if staying:
            observe(
                SpoolHolds(
                    archives=len(staying),
                    size=sum(archive.size for archive in staying),
                    waiting_for=tuple(sorted(waiting_for)),
                )
            )

    def _from_sisters(
        self,
        archives: Sequence[SpooledArchive],
        standings: dict[str, Standing],
        observe: Observer,
    ) -> Iterator[Copy]:
        """Fill the gaps that the spool could not, one archive after the other."""
        copyings = self._copyings()
        spooled = {archive.name for archive in archives}
        down = {name for name, standing in standings.items() if standing.down}
        for gap in gaps(standings, spooled, self.wanted, self.spool):
            lacking = [name for name in gap.lacking if name not in down]
            if not lacking:
                continue
            try:
                archive = self._fetched(gap, observe)
            except (ArchiveError, DestinationError) as error:
                for name in lacking:
                    copy = _not_fetched(gap, copyings[name].delivery, error)
                    observe(CopyEnded(copy=copy, at=self.clock.now()))
                    yield copy
                continue
            brought = side_by_side(
                {
                    name: partial(
                        copyings[name].bring, [archive], {gap.key}, standings[name].holds or {}
                    )
                    for name in lacking
                },
                observe,
                self.stopping,
            )
            standings |= brought
            down |= {name for name, standing in brought.items() if standing.down}
            if all(gap.key in standing.settled for standing in brought.values()):
                self.spool.remove(gap.key)
            for standing in brought.values():
                yield from standing.copies

    def _fetched(self, gap: Gap, observe: Observer) -> SpooledArchive:
        """Fetch from the first holder that can give it."""
        destinations = {
            delivery.destination.name: delivery.destination for delivery in self.deliveries
        }
        *others, last = gap.holders
        for name in others:
            with suppress(ArchiveError, DestinationError):
                return fetch(gap, destinations[name], self.spool, observe)
        return fetch(gap, destinations[last], self.spool, observe)


def _not_fetched(gap: Gap, delivery: Delivery, error: ArchiveError | DestinationError) -> Copy:
    return Copy(
        destination=delivery.destination.name,
        key=gap.key,
        required=delivery.required,
        error=str(error),
        hint=error.hint,
    )
