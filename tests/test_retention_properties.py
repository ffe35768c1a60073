"""What must hold for every policy and every set of backups."""

import calendar
import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from backupd.model import Backup, Condition, Scope
from backupd.retention import Periods, Policy, make_plan

ZONES = [ZoneInfo(name) for name in ("Europe/Paris", "America/St_Johns", "Asia/Tokyo", "UTC")]
NOW = datetime(2026, 1, 3, 1, 30, tzinfo=UTC)


@st.composite
def ages(draw: st.DrawFn) -> timedelta:
    """Close together now and then, on whole days now and then, seldom in the future."""
    days = draw(st.one_of(st.integers(0, 40), st.integers(0, 900), st.integers(-2, 4)))
    seconds = draw(st.one_of(st.sampled_from([0, 1, 43_200]), st.integers(0, 86_399)))
    return timedelta(days=days, seconds=seconds)


@st.composite
def backup_lists(draw: st.DrawFn) -> list[Backup]:
    given_ages = draw(st.lists(ages(), max_size=60, unique=True))
    return [
        Backup(
            set_name="shop",
            destination="local",
            key=f"shop-{number}.zip",
            created_at=NOW - age,
            size=draw(st.integers(0, 40)),
            scope=draw(st.sampled_from([Scope.FULL, Scope.FULL, Scope.ONLY_DB])),
            condition=draw(st.sampled_from([Condition.UNPROVED] * 4 + [Condition.DAMAGED])),
            pinned=draw(st.integers(0, 9)) == 0,
            locked_until=draw(st.sampled_from([None] * 6 + [NOW + timedelta(hours=1)])),
        )
        for number, age in enumerate(given_ages)
    ]


@st.composite
def policies(draw: st.DrawFn, *, capped: bool = True) -> Policy:
    return Policy(
        zone=draw(st.sampled_from(ZONES)),
        keep_all_days=draw(st.integers(0, 10)),
        keep_daily_days=draw(st.integers(0, 30)),
        keep_weekly_weeks=draw(st.integers(0, 12)),
        keep_monthly_months=draw(st.integers(0, 14)),
        keep_yearly_years=draw(st.integers(0, 3)),
        keep_at_least=draw(st.integers(1, 4)),
        max_bytes=draw(st.one_of(st.none(), st.integers(0, 800))) if capped else None,
        periods=draw(st.sampled_from(Periods)),
    )


def kept_keys(policy: Policy, backups: list[Backup], now: datetime = NOW) -> set[str]:
    return {verdict.backup.key for verdict in make_plan(policy, backups, now).kept}


@given(policies(), backup_lists())
def test_every_backup_has_exactly_one_verdict_and_a_reason(
    policy: Policy, backups: list[Backup]
) -> None:
    plan = make_plan(policy, backups, NOW)
    kept = [verdict.backup.key for verdict in plan.kept]
    removed = [verdict.backup.key for verdict in plan.removed]
    assert sorted(kept + removed) == sorted(backup.key for backup in backups)
    assert all(verdict.reason for verdict in plan.verdicts)


@given(policies(), backup_lists())
def test_the_newest_good_one_of_every_series_stays(policy: Policy, backups: list[Backup]) -> None:
    kept = kept_keys(policy, backups)
    for scope in Scope:
        good = [
            backup
            for backup in backups
            if backup.scope is scope
            and backup.condition is not Condition.DAMAGED
            and backup.created_at <= NOW
        ]
        if good:
            assert max(good, key=lambda backup: backup.created_at).key in kept


@given(policies(), backup_lists())
def test_what_must_not_go_never_goes(policy: Policy, backups: list[Backup]) -> None:
    for verdict in make_plan(policy, backups, NOW).removed:
        assert not verdict.backup.pinned
        assert verdict.backup.locked_until is None
        assert verdict.backup.created_at <= NOW


@given(policies(), backup_lists())
def test_at_least_so_many_of_a_series_stay(policy: Policy, backups: list[Backup]) -> None:
    kept = kept_keys(policy, backups)
    for scope in Scope:
        series = [each for each in backups if each.scope is scope and each.created_at <= NOW]
        staying = sum(each.key in kept for each in series)
        assert staying >= min(policy.keep_at_least, len(series))


@given(policies(), backup_lists())
def test_a_second_plan_removes_nothing_more(policy: Policy, backups: list[Backup]) -> None:
    kept = [verdict.backup for verdict in make_plan(policy, backups, NOW).kept]
    assert not make_plan(policy, kept, NOW).removed


@given(policies(), backup_lists(), st.randoms())
def test_the_order_of_the_backups_does_not_matter(
    policy: Policy, backups: list[Backup], random: Random
) -> None:
    shuffled = backups.copy()
    random.shuffle(shuffled)
    assert make_plan(policy, shuffled, NOW) == make_plan(policy, backups, NOW)


@given(policies(capped=False), policies(capped=False), backup_lists())
def test_a_more_permissive_policy_keeps_all_that_a_stricter_one_keeps(
    one: Policy, other: Policy, backups: list[Backup]
) -> None:
    wider = replace(
        one,
        **{
            name: max(getattr(one, name), getattr(other, name))
            for name in (
                "keep_all_days",
                "keep_daily_days",
                "keep_weekly_weeks",
                "keep_monthly_months",
                "keep_yearly_years",
                "keep_at_least",
            )
        },
    )
    assert kept_keys(one, backups) <= kept_keys(wider, backups)


@given(policies(capped=False), backup_lists())
def test_stacked_keeps_all_that_from_now_keeps(policy: Policy, backups: list[Backup]) -> None:
    from_now = replace(policy, periods=Periods.FROM_NOW)
    stacked = replace(policy, periods=Periods.STACKED)
    assert kept_keys(from_now, backups) <= kept_keys(stacked, backups)


@given(policies(), backup_lists(), st.integers(0, 400))
def test_a_larger_cap_keeps_all_that_a_smaller_one_keeps(
    policy: Policy, backups: list[Backup], more: int
) -> None:
    capped = replace(policy, max_bytes=100)
    larger = replace(policy, max_bytes=100 + more)
    assert kept_keys(capped, backups) <= kept_keys(larger, backups)


@given(policies(), backup_lists())
def test_the_cap_is_met_or_it_is_said_by_how_much_it_is_not(
    policy: Policy, backups: list[Backup]
) -> None:
    plan = make_plan(policy, backups, NOW)
    total = sum(verdict.backup.size for verdict in plan.kept)
    cap = total if policy.max_bytes is None else policy.max_bytes
    assert plan.excess_bytes == max(0, total - cap)


@given(policies(), backup_lists())
def test_a_naive_model_keeps_the_same(policy: Policy, backups: list[Backup]) -> None:
    assert kept_keys(policy, backups) == naive_kept(policy, backups, NOW)


# The naive model: written from the documentation, with loops over calendar dates, no sorting by
# rank, no sets of places taken. It is slow and plain on purpose.


def naive_kept(policy: Policy, backups: list[Backup], now: datetime) -> set[str]:
    past = [backup for backup in backups if backup.created_at <= now]
    starts = naive_starts(policy, now)
    by_age: set[str] = set()
    firm = {backup.key for backup in backups if backup not in past}
    for backup in past:
        rivals = [each for each in past if each.scope == backup.scope and each is not backup]
        better = [each for each in rivals if naive_better(each, backup)]
        damaged = backup.condition is Condition.DAMAGED
        locked = backup.locked_until is not None and backup.locked_until > now
        if backup.pinned or locked or len(better) < policy.keep_at_least:
            firm.add(backup.key)
        if not better and not damaged:
            firm.add(backup.key)
        for unit, start in starts.items():
            in_range = backup.created_at >= start
            same = [each for each in better if naive_same(unit, each, backup, policy.zone)]
            if in_range and (unit == "all" or not same):
                by_age.add(backup.key)
    return firm | naive_capped(policy, backups, firm, by_age - firm)


def naive_better(one: Backup, other: Backup) -> bool:
    if (one.condition is Condition.DAMAGED) != (other.condition is Condition.DAMAGED):
        return other.condition is Condition.DAMAGED
    return one.created_at > other.created_at


def naive_same(unit: str, one: Backup, other: Backup, zone: tzinfo) -> bool:
    a, b = (backup.created_at.astimezone(zone).date() for backup in (one, other))
    if unit == "weekly":
        return a - timedelta(days=a.weekday()) == b - timedelta(days=b.weekday())
    return {
        "daily": a == b,
        "monthly": (a.year, a.month) == (b.year, b.month),
        "yearly": a.year == b.year,
    }.get(unit, False)


def naive_starts(policy: Policy, now: datetime) -> dict[str, datetime]:
    local = now.astimezone(policy.zone)
    day, clock = local.date(), local.time()
    starts = {}
    steps = [
        ("all", policy.keep_all_days, 0),
        ("daily", policy.keep_daily_days, 0),
        ("weekly", policy.keep_weekly_weeks * 7, 0),
        ("monthly", 0, policy.keep_monthly_months),
        ("yearly", 0, policy.keep_yearly_years * 12),
    ]
    for unit, days, months in steps:
        if not days and not months:
            continue
        start = naive_months_before(day - timedelta(days=days), months)
        starts[unit] = datetime.combine(start, clock, tzinfo=policy.zone).astimezone(UTC)
        if policy.periods is Periods.STACKED:
            day = start
    return starts


def naive_months_before(day: date, months: int) -> date:
    year, month = day.year, day.month
    for _ in itertools.repeat(None, months):
        year, month = (year - 1, 12) if month == 1 else (year, month - 1)
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def naive_capped(
    policy: Policy, backups: list[Backup], firm: set[str], by_age: set[str]
) -> set[str]:
    size = {backup.key: backup.size for backup in backups}
    cap = policy.max_bytes
    while cap is not None and by_age and sum(size[key] for key in firm | by_age) > cap:
        worst = [backup for backup in backups if backup.key in by_age]
        while len(worst) > 1:
            worst.remove(worst[0] if naive_better(worst[0], worst[1]) else worst[1])
        by_age = by_age - {worst[0].key}
    return by_age
