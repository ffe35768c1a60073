"""Frozen facts about what happens, announced to observers; nothing depends on who listens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from backupd.errors import BackupdError
from backupd.model import Archive, Backup, Outcome
from backupd.reports import Copy, Proof, RestorePlan


class Report(Protocol):
    """What every operation returns: how it came out."""

    @property
    def outcome(self) -> Outcome:
        """Succeeded, partial or failed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationStarted:
    """An operation holds the lock and begins."""

    run_id: str
    operation: str
    set_name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationEnded:
    """An operation returned its report."""

    run_id: str
    operation: str
    set_name: str
    started_at: datetime
    at: datetime
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFailed:
    """An operation raised; `error` is what it raised, a bug included."""

    run_id: str
    operation: str
    set_name: str
    started_at: datetime
    at: datetime
    error: BackupdError | Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpStarted:
    """A database's dump begins."""

    database: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionStarted:
    """The file tree is about to be walked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveStarted:
    """All members are known; the archive has been growing since the first of them was."""

    members: int
    content_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveBuilt:
    """The archive is finished and durable in the spool."""

    archive: Archive


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStarted:
    """The delivery of an archive to a destination begins."""

    destination: str
    key: str
    size: int
    late: bool = False
    """Whether an earlier run could not deliver it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyEnded:
    """A delivery succeeded or failed for good."""

    copy: Copy
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFound:
    """A destination has what waits in the spool already, from a run that may not have told it."""

    copy: Copy
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlanned:
    """What is to be restored is known, and nothing has been written."""

    plan: RestorePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupProved:
    """One backup was read back, or restored, and compared."""

    operation: str
    """`verify` or `drill`."""
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """Work was done: the only sign of life that counts."""

    phase: str
    """What is under way: `zipping`, `delivering to NAME`, `restoring`, `verifying KEY at NAME`."""
    done: int
    """Bytes so far."""
    total: int
    """Bytes in all, as far as is known; 0 while it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolHolds:
    """After a delivery, archives stay in the spool, for the destinations that lack them."""

    archives: int
    size: int
    """Bytes of all of them."""
    waiting_for: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRemoved:
    """Clean removed a backup from its destination."""

    backup: Backup
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftoversSwept:
    """What dead runs had left behind is gone."""

    where: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsMissed:
    """The daemon gave up due times of an operation: they get no run of their own."""

    operation: str
    set_name: str
    first: datetime
    last: datetime
    count: int
    at: datetime


Event = (
    OperationStarted
    | OperationEnded
    | OperationFailed
    | DumpStarted
    | SelectionStarted
    | ArchiveStarted
    | ArchiveBuilt
    | CopyStarted
    | CopyEnded
    | CopyFound
    | RestorePlanned
    | BackupProved
    | Progressed
    | SpoolHolds
    | BackupRemoved
    | LeftoversSwept
    | RunsMissed
)
