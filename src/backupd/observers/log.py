"""One log line per step of an operation, and a summary line at its end."""

from functools import singledispatch

import structlog

from backupd.cleaning import CleanReport
from backupd.errors import BackupdError, DestinationError
from backupd.events import (
    ArchiveBuilt,
    ArchiveStarted,
    BackupProved,
    BackupRemoved,
    CopyEnded,
    CopyStarted,
    DumpStarted,
    Event,
    LeftoversSwept,
    OperationEnded,
    OperationFailed,
    OperationStarted,
    RestorePlanned,
    RunsMissed,
    SpoolHolds,
)
from backupd.health import MonitorReport
from backupd.model import Outcome
from backupd.reports import BackupReport

_log = structlog.get_logger("backupd")


def log_event(event: Event) -> None:
    """Write the event to the log, if it is worth a line."""
    _logged(event)


def log_retry(destination: str, error: DestinationError, seconds: float) -> None:
    """Write that a destination failed and is tried again in so many seconds."""
    _log.warning(f"trying again: {error}", destination=destination, seconds=round(seconds, 1))


@singledispatch
def _logged(event: object) -> None:
    """Most kinds of progress are not worth a line."""


@_logged.register
def _(event: OperationStarted) -> None:
    structlog.contextvars.bind_contextvars(
        run_id=event.run_id, operation=event.operation, set=event.set_name
    )
    _log.info(f"{event.operation} started")


@_logged.register
def _(event: OperationEnded) -> None:
    seconds = round((event.at - event.started_at).total_seconds(), 1)
    level = _log.info if event.report.outcome is Outcome.SUCCEEDED else _log.warning
    facts: dict[str, float | str] = {"seconds": seconds}
    if isinstance(event.report, BackupReport):
        facts |= {
            "backup": event.report.archive.name,
            "bytes": event.report.archive.size,
            "members": event.report.archive.members,
        }
    _logged(event.report)
    level(f"{event.operation} {event.report.outcome}", **facts)
    structlog.contextvars.unbind_contextvars("run_id", "operation", "set")


@_logged.register
def _(event: BackupRemoved) -> None:
    backup = event.backup
    _log.info(
        f"removed: {event.reason}",
        destination=backup.destination,
        backup=backup.key,
        bytes=backup.size,
    )


@_logged.register
def _(report: CleanReport) -> None:
    for each in report.destinations:
        at = {"destination": each.destination}
        if each.error:
            _log.error(f"not cleaned: {each.error}", hint=each.hint, **at)
        for objection in each.objections:
            _log.error(f"cleaning refused: {objection.message}", hint=objection.hint, **at)
        for failed in each.failed:
            _log.error(
                f"not removed: {failed.error}", backup=failed.backup.key, hint=failed.hint, **at
            )
        if each.plan.excess_bytes:
            _log.warning(
                "what must stay is over the size limit", bytes=each.plan.excess_bytes, **at
            )


@_logged.register
def _(report: MonitorReport) -> None:
    for health in report.healths:
        at = {"destination": health.destination, "watched": health.set_name}
        for finding in health.findings:
            _log.warning(finding.message, check=finding.check, hint=finding.hint, **at)


@_logged.register
def _(event: OperationFailed) -> None:
    if isinstance(event.error, BackupdError):
        _log.error(f"{event.operation} failed: {event.error}", hint=event.error.hint)
    else:
        _log.error(f"{event.operation} failed: a bug in backupd", exc_info=event.error)
    structlog.contextvars.unbind_contextvars("run_id", "operation", "set")


@_logged.register
def _(event: DumpStarted) -> None:
    _log.info("dumping", database=event.database)


@_logged.register
def _(event: ArchiveStarted) -> None:
    _log.info("zipping", members=event.members, bytes=event.content_bytes)


@_logged.register
def _(event: ArchiveBuilt) -> None:
    archive = event.archive
    for omission in archive.omissions:
        level = _log.info if omission.harmless else _log.warning
        level(f"left out: {omission.reason}", path=omission.path, detail=omission.detail)
    for database in archive.databases:
        for warning in database.warnings:
            _log.warning(warning, database=database.name)
    for path in archive.changed_while_read:
        _log.warning("changed while it was read", path=path)
    _log.info("archive built", backup=archive.name, bytes=archive.size, sha256=archive.sha256)


@_logged.register
def _(event: CopyStarted) -> None:
    _log.info("delivering", destination=event.destination, backup=event.key, bytes=event.size)


@_logged.register
def _(event: CopyEnded) -> None:
    copy = event.copy
    if copy.succeeded:
        _log.info("delivered", destination=copy.destination, backup=copy.key)
    else:
        level = _log.error if copy.required else _log.warning
        level(
            f"not delivered: {copy.error}",
            destination=copy.destination,
            backup=copy.key,
            hint=copy.hint,
        )


@_logged.register
def _(event: SpoolHolds) -> None:
    _log.warning(
        "the spool keeps archives for destinations that lack them",
        archives=event.archives,
        bytes=event.size,
        waiting_for=list(event.waiting_for),
    )


@_logged.register
def _(event: RestorePlanned) -> None:
    plan = event.plan
    _log.info("restoring", backup=plan.key, members=len(plan.members), to=str(plan.target))
    if not plan.has_manifest:
        _log.warning("the archive has no manifest; only the ZIP's own checks can be made")


@_logged.register
def _(event: BackupProved) -> None:
    proof = event.proof
    about = {"destination": proof.destination, "backup": proof.key}
    if proof.error:
        _log.error(f"not proved: {proof.error}", **about, hint=proof.hint)
        return
    for flaw in proof.flaws:
        _log.error(f"damaged: {flaw.what}", **about, path=flaw.path)
    if proof.succeeded:
        seconds = round(proof.seconds, 1)
        _log.info(f"proved by {event.operation}", **about, percent=proof.percent, seconds=seconds)


@_logged.register
def _(event: LeftoversSwept) -> None:
    _log.info("swept what a dead run left", where=event.where, names=list(event.names))


@_logged.register
def _(event: RunsMissed) -> None:
    _log.warning(
        f"{event.operation} was missed",
        operation=event.operation,
        count=event.count,
        first=event.first.isoformat(),
        last=event.last.isoformat(),
    )
