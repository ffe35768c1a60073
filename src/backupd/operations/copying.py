"""Bring archives to one destination, the oldest first, and check each copy."""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from backupd.errors import DestinationError, Interrupted
from backupd.events import CopyEnded, CopyFound, CopyStarted, LeftoversSwept, Progressed
from backupd.model import Backup, SpooledArchive, StoredObject
from backupd.naming import (
    archive_number,
    archive_time,
    checksum_key,
    pin_key,
    scope_among,
)
from backupd.operations.beside import marks_of, put_beside
from backupd.ports import Clock, Destination, Observer, Progress
from backupd.reports import Copy
from backupd.spool import Spool

Wanted = Callable[[Sequence[Backup]], Collection[str]]
"""Says which backups retention would keep, by their keys, if a destination held these."""

_DEAD_AFTER = timedelta(days=1)
_BETWEEN_SIGNS = 0.1
"""Seconds; more signs of progress are of no use to anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A destination to deliver to; without its copy a backup is partial, unless not `required`."""

    destination: Destination
    required: bool = True
    hasty: Destination | None = None
    """The same one, without the wrapper that tries again; None: there is no such wrapper."""

    @property
    def at_once(self) -> Destination:
        """The destination for what is not worth waiting for."""
        return self.hasty or self.destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one destination stands after its deliveries."""

    holds: Mapping[str, int] | None
    """Sizes by key; None if it could not be listed."""
    settled: frozenset[str] = frozenset()
    """The archives that it has whole, or that retention would not keep there."""
    copies: tuple[Copy, ...] = ()
    """What was tried."""
    down: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Copying:
    """The deliveries to one destination; made anew for each run, and run in its own thread."""

    delivery: Delivery
    spool: Spool
    wanted: Wanted
    clock: Clock
    stopping: threading.Event
    fresh: str = ""
    """The archive of this run, which is always wanted."""

    def run(self, archives: Sequence[SpooledArchive], observe: Observer) -> Standing:
        """Deliver what is missing of `archives`, then sweep what dead deliveries left."""
        try:
            there = self.delivery.destination.list(self._prefix)
            holds = {stored.key: stored.size for stored in there}
        except DestinationError as error:
            copies = [self._failed(archive, error) for archive in archives]
            if copies:
                observe(CopyEnded(copy=copies[-1], at=self.clock.now()))
            return Standing(holds=None, copies=tuple(copies), down=True)
        standing = self.bring(archives, self._kept(archives, holds), holds, observe)
        if not standing.down:
            self._sweep(observe)
        return standing

    def bring(
        self,
        archives: Sequence[SpooledArchive],
        kept: Collection[str],
        holds: Mapping[str, int],
        observe: Observer,
    ) -> Standing:
        """Deliver what is missing of those `archives` that are `kept` where `holds` are.

        When the destination turns out to be down, the rest counts as failed and is not tried.
        """
        held, copies, down = dict(holds), [], None
        for archive in archives:
            whole = {archive.name: archive.size}
            if archive.certified:
                whole[checksum_key(archive.name)] = 0
            if whole.keys() <= held.keys():
                self._found(archive, held, observe)
                continue
            if archive.name not in kept:
                continue
            if down is not None:
                copies.append(self._failed(archive, down))
                continue
            try:
                copy = self._succeeded(archive, self._deliver(archive, held, observe))
                held |= as_sizes([archive]) | whole
            except DestinationError as error:
                copy = self._failed(archive, error)
                down = error if error.temporary else None
            observe(CopyEnded(copy=copy, at=self.clock.now()))
            copies.append(copy)
        missing = {copy.key for copy in copies if not copy.succeeded}
        return Standing(
            holds=held,
            settled=frozenset(archive.name for archive in archives) - missing,
            copies=tuple(copies),
            down=down is not None,
        )

    @property
    def _prefix(self) -> str:
        return f"{self.spool.set_name}-"

    def _kept(
        self, archives: Sequence[SpooledArchive], holds: Mapping[str, int]
    ) -> Collection[str]:
        """Say what retention would keep if the destination had all of it."""
        sizes = {**holds, **as_sizes(archives)}
        backups = as_backups(sizes, self.delivery.destination.name, self.spool)
        return {*self.wanted(backups), self.fresh}

    def _deliver(
        self, archive: SpooledArchive, held: Collection[str], observe: Observer
    ) -> StoredObject:
        """Store marks, archive and checksum; the copy must be what was built."""
        destination = self.delivery.destination
        late = archive.name != self.fresh
        observe(
            CopyStarted(
                destination=destination.name, key=archive.name, size=archive.size, late=late
            )
        )
        for key, text in marks_of(archive).items():  # first, so that it is never taken for less
            if key not in held:
                put_beside(destination, key, text, self.spool.path)
        on_progress = self._progress(archive, observe)
        stored = destination.store(archive.name, archive.path, on_progress=on_progress)
        if (stored.size, stored.sha256) != (archive.size, archive.sha256):
            with suppress(DestinationError):
                destination.delete([archive.name])
            raise DestinationError(
                f"The copy at '{destination.name}' is not what was built; it was removed.",
                hint="Check the storage and the network there; the next run tries again.",
            )
        if archive.certified:
            checksum = f"{archive.sha256}  {archive.name}\n"
            put_beside(destination, checksum_key(archive.name), checksum, self.spool.path)
        return stored

    def _found(self, archive: SpooledArchive, held: Mapping[str, int], observe: Observer) -> None:
        """Tell of a copy that is there already, if it can be the whole archive."""
        if held[archive.name] == archive.size:
            now = self.clock.now()
            stored = StoredObject(
                key=archive.name, size=archive.size, modified_at=now, sha256=archive.sha256
            )
            observe(CopyFound(copy=self._succeeded(archive, stored), at=now))

    def _progress(self, archive: SpooledArchive, observe: Observer) -> Progress:
        done, told = 0, 0.0

        def on_progress(count: int) -> None:
            nonlocal done, told
            if self.stopping.is_set():
                raise Interrupted("The delivery was asked to stop.")
            done = min(done + count, archive.size)
            if (now := time.monotonic()) - told >= _BETWEEN_SIGNS or done == archive.size:
                told = now
                phase = f"delivering to {self.delivery.destination.name}"
                observe(Progressed(phase=phase, done=done, total=archive.size))

        return on_progress

    def _sweep(self, observe: Observer) -> None:
        destination = self.delivery.at_once
        try:
            swept = destination.sweep(self.clock.now() - _DEAD_AFTER)
        except DestinationError:
            return  # what is wrong with it, the next delivery will say
        if swept:
            observe(LeftoversSwept(where=destination.name, names=tuple(swept)))

    def _succeeded(self, archive: SpooledArchive, stored: StoredObject) -> Copy:
        return Copy(
            destination=self.delivery.destination.name,
            key=archive.name,
            scope=archive.scope,
            required=self.delivery.required,
            stored=stored,
        )

    def _failed(self, archive: SpooledArchive, error: DestinationError) -> Copy:
        return Copy(
            destination=self.delivery.destination.name,
            key=archive.name,
            scope=archive.scope,
            required=self.delivery.required,
            error=str(error),
            hint=error.hint,
        )


def as_sizes(archives: Sequence[SpooledArchive]) -> dict[str, int]:
    """Give the keys that a destination with these archives would have, marks included."""
    marks = {mark: 0 for archive in archives for mark in marks_of(archive)}
    return {archive.name: archive.size for archive in archives} | marks


def as_backups(sizes: Mapping[str, int], destination: str, spool: Spool) -> list[Backup]:
    """Read keys as the backups of the spool's set; other keys are passed over."""
    return [
        Backup(
            set_name=spool.set_name,
            destination=destination,
            key=key,
            created_at=created_at,
            size=size,
            ordinal=archive_number(key),
            scope=scope_among(key, sizes),
            pinned=pin_key(key) in sizes,
        )
        for key, size in sizes.items()
        if (created_at := archive_time(spool.set_name, key, spool.zone)) is not None
    ]
