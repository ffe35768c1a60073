"""Keep the history: every operation that ended, and every copy that was confirmed."""

from dataclasses import dataclass

from backupd.events import Event, OperationEnded, OperationFailed
from backupd.history import CopyRecord, History, Run
from backupd.model import BackupReport, Outcome


@dataclass(frozen=True, slots=True)
class Recorder:
    """An observer that writes to the history."""

    history: History

    def __call__(self, event: Event) -> None:
        """Note the end of an operation."""
        if isinstance(event, OperationEnded):
            self._ended(event)
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
            }
            sizes = {database.name: database.dump_bytes for database in archive.databases}
            self.history.record_dumps(archive.name, sizes)
            for copy in report.copies:
                if copy.stored is not None:
                    record = CopyRecord(
                        destination=copy.destination,
                        key=copy.key,
                        at=event.at,
                        size=archive.size,
                        sha256=archive.sha256,
                        scope=archive.scope,
                        encrypted=archive.encrypted,
                    )
                    self.history.record_copy(record)
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
