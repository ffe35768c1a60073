"""The settings on what is kept and what is healthy, as the values that plans and checks take."""

from datetime import timedelta, tzinfo

from backupd.health import Limits
from backupd.retention import MEGABYTE, Periods, Policy
from backupd.settings import Settings


def retention_policy(settings: Settings, zone: tzinfo) -> Policy:
    """Read which backups are kept."""
    rules = settings.retention
    return Policy(
        zone=zone,
        keep_all_days=rules.keep_all_days,
        keep_daily_days=rules.keep_daily_days,
        keep_weekly_weeks=rules.keep_weekly_weeks,
        keep_monthly_months=rules.keep_monthly_months,
        keep_yearly_years=rules.keep_yearly_years,
        keep_at_least=rules.keep_at_least,
        max_bytes=_in_bytes(rules.max_megabytes),
        periods=Periods(rules.periods),
    )


def health_limits(settings: Settings) -> Limits:
    """Read when a destination counts as healthy."""
    rules = settings.monitor
    days = rules.verified_within_days
    return Limits(
        max_age=timedelta(days=rules.max_age_days),
        max_bytes=_in_bytes(rules.max_megabytes),
        min_free_bytes=_in_bytes(rules.min_free_megabytes),
        max_shrink_percent=rules.max_shrink_percent,
        verified_within=None if days is None else timedelta(days=days),
        keep_at_least=settings.retention.keep_at_least,
    )


def _in_bytes(megabytes: int | None) -> int | None:
    return None if megabytes is None else megabytes * MEGABYTE
