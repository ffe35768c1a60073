"""What is seen of a destination, when it counts as healthy, and what may be found wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from backupd.model import Backup, DatabaseFacts, Outcome


class Check(StrEnum):
    """What is looked at; each has its paragraph in `docs/reference/health-checks.md`."""

    REACHABLE = "reachable"
    COUNT = "count"
    AGE = "age"
    TOTAL_SIZE = "total-size"
    SHRUNK = "shrunk"
    DATABASE_SHRUNK = "database-shrunk"
    ROWS_SHRUNK = "rows-shrunk"
    FREE_SPACE = "free-space"
    LEFT_OUT = "left-out"
    DAMAGED = "damaged"
    VERIFIED = "verified"
    FUTURE = "future-date"
    CLOCK = "clock"
    LEFTOVERS = "leftovers"
    UNDELIVERED = "undelivered"
    MISSED_RUNS = "missed-runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, and what to do about it."""

    check: Check
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a destination counts as healthy; None: not checked."""

    max_age: timedelta = timedelta(days=1)
    max_bytes: int | None = 5_000_000_000
    min_free_bytes: int | None = None
    max_shrink_percent: int = 50
    verified_within: timedelta | None = None
    keep_at_least: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was seen of one backup set at one destination."""

    set_name: str
    destination: str
    backups: tuple[Backup, ...] = ()
    error: str = ""
    """Why the destination cannot be reached; "" if it can."""
    hint: str = ""
    dump_sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Bytes of every database's dump, by the backup's key, where they are known."""
    databases: Mapping[str, Sequence[DatabaseFacts]] = field(default_factory=dict)
    """How many rows every database had, by the backup's key, where it is known."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """What could not be read when it was taken, by the backup's key, where that is known."""
    delivered: int = 0
    """Backups that were ever delivered, as far as the history tells."""
    free_bytes: int | None = None
    clock_ahead: timedelta | None = None
    """How far the destination's clock is ahead of ours."""
    leftovers: tuple[str, ...] = ()
    """What deliveries that died more than a day ago left behind."""
    undelivered: tuple[str, ...] = ()
    """Archives that wait in the spool for this destination."""
    missed_runs: tuple[datetime, ...] = ()
    """When backups should have begun since the last success, and did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How one backup set at one destination is."""

    set_name: str
    destination: str
    count: int
    total_bytes: int
    newest: Backup | None
    """The newest good one: a full one, if there is any."""
    oldest: Backup | None
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing at all is wrong."""
        return not self.findings

    @property
    def reachable(self) -> bool:
        """Whether the destination answered."""
        return all(finding.check is not Check.REACHABLE for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorReport:
    """How healthy every backup set at every destination is."""

    healths: tuple[Health, ...]

    @property
    def outcome(self) -> Outcome:
        """Failed if anything at all is wrong."""
        healthy = all(health.healthy for health in self.healths)
        return Outcome.SUCCEEDED if healthy else Outcome.FAILED
