"""A backup set that lives through five years: nightly backups, outages, a clean every day."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from backupd.model import Backup
from backupd.retention import Policy, make_plan

FIRST, LAST = date(2023, 9, 20), date(2028, 9, 20)
"""Two leap days (2024, 2028), an ISO week 53 (2026), ten clock changes."""

OUTAGES = [
    (date(2024, 2, 26), date(2024, 3, 8)),  # over a leap day and the end of a month
    (date(2024, 12, 23), date(2025, 1, 9)),  # over New Year
    (date(2025, 6, 1), date(2025, 6, 30)),  # a whole month
    (date(2026, 12, 28), date(2027, 1, 3)),  # exactly ISO week 53
    (date(2028, 3, 25), date(2028, 3, 27)),  # over the change to summer time
]


@dataclass
class Years:
    """A backup set living through the years."""

    policy: Policy
    times: tuple[time, ...]
    taken: list[datetime] = field(default_factory=list)
    waits: list[timedelta] = field(default_factory=list)
    """From each backup taken to the next one."""
    day_of: dict[datetime, date] = field(default_factory=dict)
    """In the set's zone."""
    held: list[Backup] = field(default_factory=list)

    def days(self) -> Iterator[datetime]:
        """Live day by day; give the moment after each day's clean."""
        day = FIRST
        while day < LAST:
            if not any(first <= day <= last for first, last in OUTAGES):
                for moment in self.times:
                    self.take(day, moment)
            now = datetime.combine(day, time(14, 0), tzinfo=self.policy.zone).astimezone(UTC)
            plan = make_plan(self.policy, self.held, now)
            self.held = [verdict.backup for verdict in reversed(plan.kept)]
            yield now
            day += timedelta(days=1)

    def take(self, day: date, moment: time) -> None:
        """Take a backup at this time of the set's zone."""
        when = datetime.combine(day, moment, tzinfo=self.policy.zone).astimezone(UTC)
        if self.taken:
            self.waits.append(when - self.taken[-1])
        self.taken.append(when)
        self.day_of[when] = day
        key = f"shop-{when:%Y-%m-%d-%H-%M-%S}.zip"
        self.held.append(
            Backup(set_name="shop", destination="local", key=key, created_at=when, size=1)
        )
