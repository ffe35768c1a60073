"""The sections that say when operations run, what is kept and what is healthy."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ValidationInfo, field_validator

from backupd.cron import parse_schedule, shortest_period
from backupd.settings.kinds import (
    Count,
    DatabasePassword,
    List,
    OptionalCount,
    Percent,
    Positive,
    Seconds,
    ServerUrl,
)
from backupd.settings.kinds import Schedule as When

_OPERATIONS = ("backup", "clean", "monitor", "drill")


class Schedule(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """When the daemon does what: HH:MM for every day, or a cron line as '30 2 * * mon-fri'."""

    backup: When = "01:00"
    """Take a backup."""
    clean: When = "02:00"
    """Apply the retention policy."""
    monitor: When = "03:00"
    """Check the health of every destination."""
    drill: When = "0 4 1 * *"
    """Restore test of the newest backups: 04:00 on the 1st of the month."""
    jitter: Seconds = 0
    """Start up to so many seconds later, at random, so that many servers do not start at once. At
    most the shortest time between two starts of any operation."""
    catch_up: bool = True
    """After a downtime, run once what was missed."""
    stall_seconds: Positive = 1800
    """An operation that shows no progress for so long is stalled: systemd is no longer told that
    all is well, and restarts the daemon."""

    @field_validator("jitter")
    @classmethod
    def _within_every_period(cls, jitter: float, info: ValidationInfo) -> float:
        """Refuse what would let a run overtake the one before it."""
        valid = {name: info.data[name] for name in _OPERATIONS if name in info.data}
        periods = {name: shortest_period(parse_schedule(text)) for name, text in valid.items()}
        if any(period < timedelta(seconds=jitter) for period in periods.values()):
            name = min(periods, key=periods.__getitem__)
            raise ValueError(
                f"{periods[name].total_seconds():.0f} or less, the shortest time between two "
                f"starts of SCHEDULE__{name.upper()} ('{valid[name]}')"
            )
        return jitter


class Retention(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Which backups 'clean' keeps; the newest one of each period stays."""

    keep_all_days: Count = 7
    """Days for which every backup is kept."""
    keep_daily_days: Count = 16
    """Days for which one a day is kept."""
    keep_weekly_weeks: Count = 8
    """Weeks for which one a week is kept."""
    keep_monthly_months: Count = 4
    """Months for which one a month is kept."""
    keep_yearly_years: Count = 2
    """Years for which one a year is kept."""
    max_megabytes: OptionalCount = 5000
    """Oldest backups go when a destination holds more. Empty: no limit."""
    keep_at_least: Positive = 3
    """So many backups stay, whatever the rules and the size limit say."""
    periods: Literal["from-now", "stacked"] = "from-now"
    """from-now: every period is counted from now. stacked: each starts where the one before it
    ends, as laravel-backup counts."""
    max_delete_percent: Percent = 50
    """A plan that would remove more at one time is refused."""


class Drill(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Where a drill loads the dumps of database servers, to try them."""

    url: ServerUrl | None = None
    """A server on which the user may create databases, as postgresql://user@host/. Each dump of its
    kind is loaded into a new database there, counted, and dropped. Default: dumps are only read."""
    password: DatabasePassword | None = None
    """The password, as it is, if it is not in URL."""


class Restore(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """What 'restore --in-place' runs around putting the application back."""

    before: List = ()
    """Commands that stop the application, run in SOURCE__ROOT, as: php artisan down"""
    after: List = ()
    """Commands that start it again, also when everything had to be put back, as: php artisan up"""


class Monitor(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """When a destination counts as healthy."""

    max_age_days: Positive = 1
    """The newest backup is not older."""
    max_megabytes: OptionalCount = 5000
    """All backups together are not larger. Empty: no limit."""
    min_free_megabytes: OptionalCount = None
    """So much is free at a local destination. Default: not checked."""
    max_shrink_percent: Percent = 50
    """The newest backup is not smaller, and no dump has fewer rows, than the last ten by more."""
    verified_within_days: OptionalCount = None
    """A backup was verified in so many days. Default: not checked."""
    also: List = ()
    """Other backup sets on the same destinations to watch."""


class Retry(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """How often a delivery is tried before it counts as failed for this run."""

    tries: Positive = 3
    """Tries in all."""
    delay_seconds: Seconds = 10
    """Seconds before the second try; each later one waits twice as long."""
