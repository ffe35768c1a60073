"""Drill: really restore the newest backup from each destination, and look at what came."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from backupd.archive.reader import OpenArchive
from backupd.archive.survey import survey
from backupd.archive.swap import remove_tree
from backupd.archive.target import Target
from backupd.archive.view import ObjectView
from backupd.catalog import Catalog
from backupd.errors import BackupdError, DamagedError
from backupd.events import BackupProved
from backupd.model import MemberKind
from backupd.naming import LATEST
from backupd.operations.databases import check_dumps
from backupd.operations.restore import Restore
from backupd.operations.retrieve import Reading
from backupd.operations.select import Selection
from backupd.operations.trial import try_dumps
from backupd.operations.verify import copies_everywhere
from backupd.ports import Clock, Loader, Observer
from backupd.reports import Flaw, Proof, ProofReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A restore test of the newest full backup of each destination, one after the other.

    Everything is fetched from the destination, decrypted, written into the directory
    `scratch`, read again and compared; each SQLite dump is opened, checked and counted; those
    of database servers are loaded into scratch databases by `loader`, and counted. The directory is
    the drill's own, and gone afterwards. The time that it took is the time that a recovery takes.
    """

    catalogs: tuple[Catalog, ...]
    reading: Reading
    clock: Clock
    scratch: Path
    loader: Loader | None = None
    """Where dumps of database servers are loaded for a trial; None: nowhere."""
    name: str = "drill"

    def run(self, observe: Observer) -> ProofReport:
        """Restore from one destination after the other.

        Raises:
            ObjectNotFoundError: there is no backup at any destination.
        """
        proofs = []
        for found in copies_everywhere(self.catalogs, LATEST, self.clock):
            proof = found if isinstance(found, Proof) else self._proof(found, observe)
            proofs.append(proof)
            observe(BackupProved(operation=self.name, proof=proof))
        return ProofReport(proofs=tuple(proofs))

    def _proof(self, copy: ObjectView, observe: Observer) -> Proof:
        at, started = self.clock.now(), monotonic()
        proof = Proof(destination=copy.destination.name, key=copy.key, at=at, seconds=0.0)
        try:
            with _made(self.scratch):
                proof = self._restored(proof, copy, self.scratch, observe)
                return replace(proof, seconds=monotonic() - started)
        except DamagedError as damage:
            flaws = (Flaw(what=str(damage)),)
            return replace(proof, flaws=flaws, seconds=monotonic() - started)
        except BackupdError as error:
            seconds = monotonic() - started
            return replace(proof, error=str(error), hint=error.hint, seconds=seconds)

    def _restored(self, proof: Proof, copy: ObjectView, folder: Path, observe: Observer) -> Proof:
        report = Restore(
            copies=(copy,),
            target=folder,
            selection=Selection(),
            reading=replace(self.reading, skip_damaged=True),  # to name each that is
            owners=False,
            more_room="Free some space there, or set BACKUP_SPOOL to a larger file system.",
        ).run(observe)
        flaws = (*report.flaws, *(Flaw(what=note) for note in report.notes))
        proof = replace(
            proof,
            members=report.restored,
            content_bytes=report.restored_bytes,
            has_manifest=report.plan.has_manifest,
            flaws=flaws,
        )
        if flaws:
            return proof
        archive = self.reading.open(copy)
        databases, wrong = check_dumps(archive.manifest, report.dumps, folder)
        if self.loader is not None:
            tried, failed = try_dumps(archive.manifest, report.dumps, folder, self.loader)
            databases, wrong = (*databases, *tried), (*wrong, *failed)
        return replace(proof, databases=databases, flaws=(*_lost(archive, folder), *wrong))


def _lost(archive: OpenArchive, folder: Path) -> list[Flaw]:
    """Read everything again that was restored, and compare."""
    content = [each for each in archive.members if each.entry.kind is not MemberKind.DIRECTORY]
    seen = survey(Target(root=folder, owners=False), content)
    return [
        Flaw(path=each.entry.path, what="it is not there as it was restored")
        for each in seen.to_write
    ]


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a directory that is removed afterwards, in place of one that a killed drill left."""
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_tree(folder)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise BackupdError(
            f"The drill has no place to restore to in {folder.parent}: {error.strerror}.",
            hint="Set BACKUP_SPOOL to a directory that backupd may write to.",
        ) from error
    try:
        yield
    finally:
        remove_tree(folder)
