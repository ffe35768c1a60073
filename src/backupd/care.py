"""Wire the operations that look after backups: clean, pin and monitor."""

from dataclasses import replace
from datetime import timedelta

from backupd.caution import RECENT, Circumstances, Refusal
from backupd.errors import RefusedError
from backupd.health import Limits
from backupd.operations.clean import Clean, pretend
from backupd.operations.monitor import Monitor, Watched
from backupd.operations.pin import Pin, Unpin
from backupd.operations.survey import Surveyed, survey
from backupd.ports import Destination, Gauged
from backupd.retention import MEGABYTE, Periods, Policy
from backupd.wiring import App


def policy(app: App) -> Policy:
    """Read the retention policy from the settings."""
    rules = app.settings.retention
    return Policy(
        zone=app.zone,
        keep_all_days=rules.keep_all_days,
        keep_daily_days=rules.keep_daily_days,
        keep_weekly_weeks=rules.keep_weekly_weeks,
        keep_monthly_months=rules.keep_monthly_months,
        keep_yearly_years=rules.keep_yearly_years,
        keep_at_least=rules.keep_at_least,
        max_bytes=in_bytes(rules.max_megabytes),
        periods=Periods(rules.periods),
    )


def in_bytes(megabytes: int | None) -> int | None:
    """Turn a setting in megabytes into bytes; None stays None."""
    return None if megabytes is None else megabytes * MEGABYTE


def clean(app: App, despite: frozenset[Refusal]) -> Clean:
    """Make the operation that applies the retention policy."""
    last_run = app.history.last_noted()
    recent = app.history.runs("backup", limit=RECENT)
    return Clean(
        catalogs=app.catalogs(),
        policy=policy(app),
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
    return Pin(catalogs=app.catalogs(), key=key)


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
    return Monitor(watched=[*own, *others], limits=limits(app), clock=app.clock)


def survey_all(app: App) -> list[Surveyed]:
    """Look at every destination of this set."""
    rules, bounds, now = policy(app), limits(app), app.clock.now()
    return [survey(_own(app, each.destination), bounds, rules, now) for each in app.deliveries()]


def limits(app: App) -> Limits:
    """Read from the settings when a destination counts as healthy."""
    rules = app.settings.monitor
    days = rules.verified_within_days
    return Limits(
        max_age=timedelta(days=rules.max_age_days),
        max_bytes=in_bytes(rules.max_megabytes),
        min_free_bytes=in_bytes(rules.min_free_megabytes),
        max_shrink_percent=rules.max_shrink_percent,
        verified_within=None if days is None else timedelta(days=days),
        keep_at_least=app.settings.retention.keep_at_least,
    )


def _own(app: App, destination: Destination) -> Watched:
    copies = app.history.copies(destination.name)
    spooled = sorted(path.name for path in app.spool.glob("*.zip"))
    return Watched(
        catalog=app.catalog(destination, app.set_name),
        gauge=destination.gauges if isinstance(destination, Gauged) else None,
        spooled=tuple(name for name in spooled if name not in copies),
        delivered=len(copies),
        dump_sizes=app.history.dumps(),
    )
