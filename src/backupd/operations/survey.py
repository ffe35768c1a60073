"""What there is at a destination, how it is, and what clean would do: all from one listing."""

from dataclasses import dataclass
from datetime import datetime

from backupd.examine import examine
from backupd.health import Health, Limits
from backupd.operations.monitor import Watched, look_at
from backupd.retention import Plan, Policy, make_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """One destination."""

    health: Health
    plan: Plan


def survey(watched: Watched, limits: Limits, policy: Policy, now: datetime) -> Surveyed:
    """Look at one destination; one that is down has nothing, and a finding that says so."""
    seen = look_at(watched, now)
    return Surveyed(health=examine(seen, limits, now), plan=make_plan(policy, seen.backups, now))
