"""Verify: read backups back from their destinations and compare them with their manifests."""

import random
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from backupd.archive.check import Check, checkers
from backupd.archive.reader import OpenArchive, Run, open_archive, runs
from backupd.archive.view import ObjectView
from backupd.archive.workers import Workers
from backupd.catalog import Catalog, dated_by_now
from backupd.errors import BackupdError, DamagedError, DestinationError, ObjectNotFoundError
from backupd.events import BackupProved, Progressed
from backupd.model import Backup, Scope
from backupd.naming import ALL, LATEST, checksum_key
from backupd.operations.retrieve import Reading
from backupd.ports import Clock, Observer, Progress
from backupd.reports import Flaw, Proof, ProofReport

_WHOLE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """Reads every byte of a backup once, or a random part of it, from each destination.

    What is wrong with a backup, or a destination, is in the report; nothing is raised for it.
    """

    catalogs: tuple[Catalog, ...]
    reading: Reading
    clock: Clock
    backup: str = LATEST
    """A name, all, or the newest of each destination: a full one, if it has any."""
    percent: int = _WHOLE
    large_bytes: int = 64 * 1024 * 1024
    """From this size on worker processes compare; what is smaller is read before they are there."""
    name: str = "verify"

    def run(self, observe: Observer) -> ProofReport:
        """Verify one copy after the other.

        Raises:
            ObjectNotFoundError: no destination has such a backup.
        """
        proofs = []
        for found in copies_everywhere(self.catalogs, self.backup, self.clock):
            proof = found if isinstance(found, Proof) else self._proof(found, observe)
            proofs.append(proof)
            observe(BackupProved(operation=self.name, proof=proof))
        return ProofReport(proofs=tuple(proofs))

    def _proof(self, copy: ObjectView, observe: Observer) -> Proof:
        at, started = self.clock.now(), monotonic()
        check: Check | None = None
        flaws: list[Flaw] = []
        error = hint = ""
        try:
            with self._checkers(copy) as workers:  # they start while the archive is opened
                archive = open_archive(copy, password=self.reading.password, zone=self.reading.zone)
                check = self._check(archive, copy, observe)
                flaws = self._flaws(check, copy, workers)
        except DamagedError as damage:
            flaws = [Flaw(what=str(damage))]
        except BackupdError as failure:
            error, hint = str(failure), failure.hint
        return Proof(
            destination=copy.destination.name,
            key=copy.key,
            at=at,
            seconds=monotonic() - started,
            members=check.members if check else 0,
            content_bytes=check.content_bytes if check else 0,
            percent=self.percent,
            has_manifest=check is None or check.archive.manifest is not None,
            flaws=tuple(flaws),
            error=error,
            hint=hint,
        )

    def _checkers(self, copy: ObjectView) -> AbstractContextManager[Workers | None]:
        if self.percent < _WHOLE or copy.size < self.large_bytes:
            return nullcontext()
        return checkers(self.reading.workers, self.reading.password)

    def _check(self, archive: OpenArchive, copy: ObjectView, observe: Observer) -> Check:
        return Check(
            archive=archive,
            threads=self.reading.workers,
            on_progress=_verifying(observe, copy),
        )

    def _flaws(self, check: Check, copy: ObjectView, workers: Workers | None) -> list[Flaw]:
        if self.percent < _WHOLE:
            check.some(list(sample(check.archive, self.percent)))
            return [*check.archive.flaws, *check.flaws]
        noted = checksum_beside(copy)
        try:
            digest = check.everything(workers)
        except DamagedError as damage:
            return [*check.archive.flaws, *check.flaws, Flaw(what=str(damage))]
        flaws = [*check.archive.flaws, *check.flaws]
        if noted not in {None, digest} and not flaws:
            was = noted or "nothing"
            flaws.append(Flaw(what=f"the archive's SHA-256 is {digest}; {was} was noted"))
        return flaws


def copies_everywhere(
    catalogs: Sequence[Catalog], backup: str, clock: Clock
) -> list[ObjectView | Proof]:
    """Find a backup at each destination; one that does not answer is a proof that failed.

    Raises:
        ObjectNotFoundError: none has it, and all answered.
    """
    found: list[ObjectView | Proof] = []
    for catalog in catalogs:
        destination = catalog.destination
        try:
            chosen = _chosen(catalog.backups(), backup, clock.now())
        except DestinationError as error:
            failed = Proof(
                destination=destination.name,
                key="",
                at=clock.now(),
                seconds=0.0,
                error=str(error),
                hint=error.hint,
            )
            found.append(failed)
            continue
        found += [
            ObjectView(destination=destination, key=each.key, size=each.size) for each in chosen
        ]
    if not found:
        what = "no backup yet" if backup in {LATEST, ALL} else f"no backup named {backup}"
        raise ObjectNotFoundError(f"There is {what} at any destination.")
    return found


def _chosen(backups: Sequence[Backup], backup: str, now: datetime) -> Sequence[Backup]:
    if backup == ALL:
        return backups
    if backup == LATEST:  # even if it is known to be damaged: it may have been mended
        there = dated_by_now(backups, now)
        whole = [each for each in there if each.scope is Scope.FULL]
        return (whole or there)[:1]
    return [each for each in backups if each.key in {backup, f"{backup}.zip"}]


def checksum_beside(copy: ObjectView) -> str | None:
    """Read the SHA-256 from the file beside an archive; None if there is no such file.

    Raises:
        DestinationError: the destination failed.
    """
    try:
        text = b"".join(copy.destination.read(checksum_key(copy.key)))
    except ObjectNotFoundError:
        return None
    return text[:64].decode("ascii", "replace")


def sample(archive: OpenArchive, percent: int) -> Iterator[Run]:
    """Choose runs at random until they make up `percent` of the stored bytes."""
    every: Sequence[Run] = list(runs(archive.members))
    left = sum(run.length for run in every) * percent / _WHOLE
    for run in random.sample(every, len(every)):  # no secret depends on it
        if left <= 0:
            return
        left -= run.length
        yield run


def _verifying(observe: Observer, copy: ObjectView) -> Progress:
    done = 0

    def on_progress(count: int) -> None:
        nonlocal done
        done += count
        phase = f"verifying {copy.key} at {copy.destination.name}"
        observe(Progressed(phase=phase, done=done, total=copy.size))

    return on_progress
