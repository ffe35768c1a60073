"""Wire the operations that look after backups: clean, pin and monitor."""

from dataclasses import replace
from datetime import datetime

from backupd.caution import RECENT, Circumstances, Refusal
from backupd.errors import RefusedError
from backupd.naming import is_of_set
from backupd.operations.clean import Clean, pretend
from backupd.operations.monitor import Monitor, Watched
from backupd.operations.pin import Pin, Unpin
from backupd.operations.survey import Surveyed, survey
from backupd.policies import health_limits, retention_policy
from backupd.ports import Destination, Gauged
from backupd.records import LEFT_OUT, MISSED
from backupd.row_log import RowLog
from backupd.wiring import App


def clean(app: App, despite: frozenset[Refusal]) -> Clean:
    """Make the operation that applies the retention policy."""
    last_run = app.history.last_noted()
    recent = app.history.runs("backup", limit=RECENT)
    return Clean(
        catalogs=app.catalogs(),
        policy=retention_policy(app.settings, app.zone),
        clock=app.clock,
        circumstances=Circumstances(
            now=app.clock.now(),
            last_run_at=last_run.started_at if last_run else None,
            recent_backups=tuple(run.outcome for run in recent),
            max_delete_percent=app.settings.retention.max_delete_percent,
        ),
        despite=despite,
    )


def keeping_only(operation: Clean, count: int) -> Clean:
    """Let a clean keep only the `count` newest; who gives the number means it.

    Raises:
        RefusedError: it is fewer than the settings allow.
    """
    least = operation.policy.keep_at_least
    if count < least:
        raise RefusedError(
            f"{count} would be fewer than BACKUP_RETENTION__KEEP_AT_LEAST, which is {least}.",
            hint=f"Keep {least} or more, or allow it once: "
            f"BACKUP_RETENTION__KEEP_AT_LEAST={count} backupd clean --keep {count}",
        )
    return replace(
        operation,
        policy=operation.policy.only_newest(count),
        despite=operation.despite | {Refusal.EMPTY_POLICY, Refusal.TOO_MANY},
    )


def dry(operation: Clean) -> Clean:
    """Let a clean do all but the last step; it is a plan then, and no clean in the history."""
    return replace(operation, remove=pretend, name="plan")


def pin(app: App, key: str) -> Pin:
    """Make the operation that keeps a backup for ever."""
    return Pin(catalogs=app.catalogs(), key=key, folder=app.spool)


def unpin(app: App, key: str) -> Unpin:
    """Make the operation that takes a pin away."""
    return Unpin(catalogs=app.catalogs(), key=key)


def monitor(app: App) -> Monitor:
    """Make the operation that checks the health of this set, and of those it watches as well."""
    destinations = [each.destination for each in app.deliveries()]
    others = [
        Watched(catalog=app.catalog(destination, name))
        for name in app.settings.monitor.also
        for destination in destinations
    ]
    own = [_own(app, destination) for destination in destinations]
    return Monitor(watched=[*own, *others], limits=health_limits(app.settings), clock=app.clock)


def survey_all(app: App) -> list[Surveyed]:
    """Look at every destination of this set, without waiting for one that is down."""
    policy, limits = retention_policy(app.settings, app.zone), health_limits(app.settings)
    now = app.clock.now()
    return [survey(_own(app, each.at_once), limits, policy, now) for each in app.deliveries()]


def _own(app: App, destination: Destination) -> Watched:
    copies = app.history.copies(destination.name)
    spooled = (path.name for path in app.spool.glob("*.zip"))
    own = sorted(name for name in spooled if is_of_set(app.set_name, name, app.zone))
    return Watched(
        catalog=app.catalog(destination, app.set_name),
        gauge=destination.gauges if isinstance(destination, Gauged) else None,
        spooled=tuple(name for name in own if name not in copies),
        delivered=len(copies),
        missed_runs=_missed_backups(app),
        databases=RowLog(app.history).databases(),
        left_out={
            str(run.facts["backup"]): str(run.facts[LEFT_OUT])
            for run in app.history.runs("backup")
            if LEFT_OUT in run.facts
        },
        dump_sizes={key: each.dumps for key, each in app.history.archives().items()},
    )


def _missed_backups(app: App) -> tuple[datetime, ...]:
    """Give the last due time of each time that backups were missed, since one succeeded."""
    last = app.history.last_success("backup")
    return tuple(
        missed.ended_at
        for missed in app.history.runs(MISSED, limit=20)
        if missed.facts.get("operation") == "backup"
        and (last is None or missed.ended_at > last.started_at)
    )
