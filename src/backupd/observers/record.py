"""Keep the history: every operation that ended, every copy confirmed, every proof."""

from dataclasses import dataclass
from datetime import datetime

from backupd.events import (
    BackupProved,
    CopyEnded,
    CopyFound,
    Event,
    OperationEnded,
    OperationFailed,
    RunsMissed,
)
from backupd.health import Health, MonitorReport
from backupd.history import History
from backupd.model import Outcome
from backupd.records import LEFT_OUT, MISSED, ArchiveRecord, CopyRecord, ProofRecord, Run, Sighting
from backupd.reports import BackupReport, Copy, Proof
from backupd.row_log import RowLog
from backupd.words import few


@dataclass(frozen=True, slots=True)
class Recorder:
    """An observer that writes to the history."""

    history: History

    def __call__(self, event: Event) -> None:
        """Note the end of an operation, and each copy as soon as it is confirmed."""
        if isinstance(event, OperationEnded):
            self._ended(event)
        elif isinstance(event, CopyEnded):
            self._copied(event.copy, event.at)
        elif isinstance(event, CopyFound):
            self._found(event)
        elif isinstance(event, BackupProved):
            self._proved(event)
        elif isinstance(event, RunsMissed):
            self._missed(event)
        elif isinstance(event, OperationFailed):
            self.history.record_run(
                Run(
                    run_id=event.run_id,
                    operation=event.operation,
                    started_at=event.started_at,
                    ended_at=event.at,
                    outcome=Outcome.FAILED,
                    error=str(event.error),
                )
            )

    def _missed(self, event: RunsMissed) -> None:
        """Note due times without a run; `monitor` asks for them until a backup succeeds."""
        self.history.record_run(
            Run(
                run_id=f"{event.last:%Y%m%dT%H%M%SZ}-missed-{event.operation}",
                operation=MISSED,
                started_at=event.first,
                ended_at=event.last,
                outcome=Outcome.FAILED,
                error=f"{event.operation} did not run when due.",
                facts={"operation": event.operation, "count": event.count},
            )
        )

    def _copied(self, copy: Copy, at: datetime) -> None:
        if copy.stored is not None:
            record = CopyRecord(
                destination=copy.destination,
                key=copy.key,
                at=at,
                size=copy.stored.size,
                sha256=copy.stored.sha256,
                scope=copy.scope,
            )
            self.history.record_copy(record)

    def _found(self, event: CopyFound) -> None:
        """Note a copy that is not known yet; what was found of it before still counts."""
        place, key = event.copy.destination, event.copy.key
        if key not in self.history.copies(place):
            proofs = self.history.proofs(place).get(key, [])
            self._copied(event.copy, min([event.at, *(proof.at for proof in proofs)]))

    def _proved(self, event: BackupProved) -> None:
        """Note what is known of a backup now; a destination that failed says nothing of it."""
        proof = event.proof
        if proof.error:
            return
        self.history.record_proof(
            ProofRecord(
                destination=proof.destination,
                key=proof.key,
                operation=event.operation,
                at=proof.at,
                percent=proof.percent,
                seconds=proof.seconds,
                bytes=proof.content_bytes,
                flaw=_first_flaw(proof),
            )
        )

    def _ended(self, event: OperationEnded) -> None:
        report = event.report
        facts: dict[str, int | float | str] = {}
        if isinstance(report, BackupReport):
            archive = report.archive
            facts = {
                "backup": archive.name,
                "scope": archive.scope,
                "bytes": archive.size,
                "content_bytes": archive.content_bytes,
                "members": archive.members,
                "carried_members": archive.carried,
            }
            if missing := [each.path for each in archive.omissions if not each.harmless]:
                facts[LEFT_OUT] = few(missing)
            dumps = {database.name: database.dump_bytes for database in archive.databases}
            self.history.record_archive(
                ArchiveRecord(key=archive.name, encrypted=archive.encrypted, dumps=dumps)
            )
            RowLog(self.history).record(archive.name, archive.databases)
        elif isinstance(report, MonitorReport):
            for health in report.healths:
                if health.set_name == event.set_name:
                    self.history.record_sighting(_sighting(health, event.at))
        self.history.record_run(
            Run(
                run_id=event.run_id,
                operation=event.operation,
                started_at=event.started_at,
                ended_at=event.at,
                outcome=report.outcome,
                facts=facts,
            )
        )


def _first_flaw(proof: Proof) -> str:
    if not proof.flaws:
        return ""
    first, others = proof.flaws[0], len(proof.flaws) - 1
    return f"{first.what} ({others} more members are damaged)" if others else first.what


def _sighting(health: Health, at: datetime) -> Sighting:
    return Sighting(
        destination=health.destination,
        at=at,
        reachable=health.reachable,
        healthy=health.healthy,
        count=health.count,
        bytes=health.total_bytes,
        newest=health.newest.created_at if health.newest else None,
    )
