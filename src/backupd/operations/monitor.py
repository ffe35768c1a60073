"""Check how healthy every backup set is at every destination."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backupd.catalog import Catalog
from backupd.errors import DestinationError
from backupd.examine import examine
from backupd.health import Health, Limits, MonitorReport, Observed
from backupd.model import Backup, DatabaseFacts
from backupd.ports import Clock, Gauges, Observer

_LEFT_OVER = timedelta(days=1)
"""What a delivery left unfinished for so long, it will not finish."""

Gauge = Callable[[datetime], Gauges]
"""Asks a destination about itself; what was unfinished before that moment is left over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One backup set at one destination, and what is known here beside what is there."""

    catalog: Catalog
    gauge: Gauge | None = None
    """None where the destination has nothing to tell."""
    spooled: tuple[str, ...] = ()
    """Archives in the spool that the destination has not confirmed."""
    delivered: int = 0
    """Backups that were ever delivered there."""
    dump_sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    databases: Mapping[str, Sequence[DatabaseFacts]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    missed_runs: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """Look at everything, and tell all that is wrong."""

    watched: Sequence[Watched]
    limits: Limits
    clock: Clock
    name: str = "monitor"

    def run(self, _observe: Observer) -> MonitorReport:
        """Examine one destination after the other; one that is down is a finding."""
        return MonitorReport(healths=tuple(self._health(each) for each in self.watched))

    def _health(self, watched: Watched) -> Health:
        now = self.clock.now()
        return examine(look_at(watched, now), self.limits, now)


def look_at(watched: Watched, now: datetime) -> Observed:
    """Ask a destination once for everything; that it is down is seen too."""
    catalog = watched.catalog
    backups, gauges, error, hint = list[Backup](), Gauges(), "", ""
    try:
        backups = catalog.backups()
    except DestinationError as failure:
        error, hint = str(failure), failure.hint
    if watched.gauge is not None and not error:
        with suppress(DestinationError):  # it may not be allowed to tell more than its keys
            gauges = watched.gauge(now - _LEFT_OVER)
    there = {backup.key for backup in backups}
    return Observed(
        set_name=catalog.set_name,
        destination=catalog.destination.name,
        backups=tuple(backups),
        error=error,
        hint=hint,
        dump_sizes=watched.dump_sizes,
        databases=watched.databases,
        left_out=watched.left_out,
        delivered=watched.delivered,
        free_bytes=gauges.free_bytes,
        clock_ahead=gauges.clock_ahead,
        leftovers=gauges.leftovers,
        undelivered=tuple(key for key in watched.spooled if key not in there),
        missed_runs=watched.missed_runs,
    )
