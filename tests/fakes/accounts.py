"""Operations as people are told of them, for tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backupd.events import OperationEnded, OperationFailed, OperationStarted
from backupd.message import Message
from backupd.model import Archive, Outcome, Scope, StoredObject
from backupd.reports import BackupReport, Copy

MOMENT = datetime(2025, 11, 8, 1, 0, tzinfo=UTC)


def message(**changes: object) -> Message:
    """Make a message; any field can be chosen."""
    fields: dict[str, object] = {
        "id": "20251108T010000Z-0001.backup-failed",
        "event": "backup_failed",
        "good": False,
        "at": MOMENT,
        "set_name": "shop",
        "host": "web1",
        "run_id": "20251108T010000Z-0001",
        "subject": "shop on web1: Backup failed — été",
        "text": "There is no new backup.\n",
        "html": "<p>There is no new backup.</p>",
        "picture": "iVBORw0KGgo=",
        "facts": '{"schema": 1}',
    }
    return Message(**(fields | changes))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Report:
    """How an operation came out of which nothing else is known."""

    outcome: Outcome = Outcome.SUCCEEDED


def run_id(at: datetime, operation: str = "backup") -> str:
    return f"{at:%Y%m%dT%H%M%SZ}-" + ("0001" if operation == "backup" else operation)


def started(at: datetime = MOMENT, operation: str = "backup") -> OperationStarted:
    return OperationStarted(
        run_id=run_id(at, operation), operation=operation, set_name="shop", at=at
    )


def ended(
    at: datetime = MOMENT,
    operation: str = "clean",
    outcome: Outcome = Outcome.SUCCEEDED,
) -> OperationEnded:
    return OperationEnded(
        run_id=run_id(at, operation),
        operation=operation,
        set_name="shop",
        started_at=at,
        at=at + timedelta(minutes=2),
        report=Report(outcome),
    )


def failed(error: Exception, at: datetime = MOMENT, operation: str = "backup") -> OperationFailed:
    return OperationFailed(
        run_id=run_id(at, operation),
        operation=operation,
        set_name="shop",
        started_at=at,
        at=at + timedelta(minutes=2),
        error=error,
    )


def backed_up(
    at: datetime = MOMENT,
    *,
    down: Sequence[str] = (),
    places: Sequence[str] = ("local", "offsite"),
    size: int = 45_300_000,
    error: str = "the connection was refused",
) -> OperationEnded:
    """Make the end of a backup that every destination took but those that are `down`."""
    name = f"shop-{at:%Y-%m-%d-%H-%M-%S}.zip"
    stored = StoredObject(key=name, size=size, modified_at=at, sha256="00")
    archive = Archive(
        name=name,
        path=Path("/spool") / name,
        size=size,
        sha256="00",
        created_at=at,
        scope=Scope.FULL,
        encrypted=False,
        members=1234,
        content_bytes=size * 2,
    )
    copies = tuple(
        Copy(
            destination=place,
            key=name,
            stored=None if place in down else stored,
            error=f"'{place}' did not take it: {error}." if place in down else "",
            hint="Look whether it is up." if place in down else "",
        )
        for place in places
    )
    return OperationEnded(
        run_id=run_id(at),
        operation="backup",
        set_name="shop",
        started_at=at,
        at=at + timedelta(minutes=2),
        report=BackupReport(archive=archive, copies=copies, finished_at=at),
    )
