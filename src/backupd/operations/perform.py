"""The one way to run an operation; the daemon and the command line call this and nothing else."""

import secrets
from dataclasses import dataclass
from typing import Protocol, TypeVar

from backupd.errors import Interrupted
from backupd.events import OperationEnded, OperationFailed, OperationStarted, Report
from backupd.lock import SetLock
from backupd.ports import Clock, Observer

ReportT_co = TypeVar("ReportT_co", bound=Report, covariant=True)


class Operation(Protocol[ReportT_co]):
    """Something to do to a backup set; whoever runs it holds the set's lock."""

    @property
    def name(self) -> str:
        """`backup`, `deliver`, `clean`, `monitor`, `verify`, `drill` or `restore`."""
        ...

    def run(self, observe: Observer) -> ReportT_co:
        """Do it and tell how it came out; what it cannot do at all it raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Performer:
    """Runs operations on one backup set, one at a time, and announces how they come out."""

    set_name: str
    lock: SetLock
    clock: Clock
    observe: Observer

    def perform(self, operation: Operation[ReportT_co]) -> ReportT_co:
        """Take the lock, say started, run, say how it ended, release.

        Raises:
            LockedError: another operation is at work on this set.
            Interrupted: the operation was asked to stop, by a signal.
            BackupdError: what the operation raised.
        """
        started_at = self.clock.now()
        with self.lock.hold(operation.name, started_at):
            run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
            about = {"run_id": run_id, "operation": operation.name, "set_name": self.set_name}
            self.observe(OperationStarted(**about, at=started_at))
            try:
                report = operation.run(self.observe)
            except (Exception, KeyboardInterrupt) as raised:  # noqa: BLE001  (raised again)
                error = _as_exception(raised)
                ended_at = self.clock.now()
                self.observe(
                    OperationFailed(**about, started_at=started_at, at=ended_at, error=error)
                )
                raise error from raised.__cause__
            ended_at = self.clock.now()
            self.observe(OperationEnded(**about, started_at=started_at, at=ended_at, report=report))
            return report


def _as_exception(raised: Exception | KeyboardInterrupt) -> Exception:
    if isinstance(raised, KeyboardInterrupt):
        return Interrupted("It was asked to stop, and it stopped.")
    return raised
