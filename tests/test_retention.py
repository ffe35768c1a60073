from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from backupd.model import Backup, Condition, Scope
from backupd.retention import Periods, Plan, Policy, Rule, make_plan

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2025, 11, 8, 2, 0, tzinfo=PARIS)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


def backup(when: str | datetime, **facts: object) -> Backup:
    moment = at(when) if isinstance(when, str) else when.astimezone(UTC)
    stamp = moment.astimezone(PARIS).strftime("%Y-%m-%d-%H-%M-%S")
    values = {
        "set_name": "shop",
        "destination": "local",
        "key": f"shop-{stamp}.zip",
        "created_at": moment,
        "size": 100_000_000,
    }
    return Backup(**(values | facts))  # type: ignore[arg-type]


def nightly(days: int, *, ends: str = "2025-11-08T01:00") -> list[Backup]:
    last = datetime.fromisoformat(ends)
    return [backup((last - timedelta(days=n)).replace(tzinfo=PARIS)) for n in range(days)]


def reasons(plan: Plan) -> dict[str, str]:
    return {
        f"{verdict.backup.created_at.astimezone(PARIS):%m-%d}": verdict.reason
        for verdict in plan.verdicts
    }


def test_the_guides_table_gives_every_backup_its_reason() -> None:
    plan = make_plan(Policy(zone=PARIS), nightly(330), NOW)
    said = reasons(plan)
    assert said["11-08"] == "newest"
    assert said["11-07"] == "all"
    assert said["11-02"] == "all"
    assert said["11-01"] == "daily 2025-11-01"
    assert said["10-24"] == "daily 2025-10-24"
    assert said["10-23"] == "not the newest of 2025-W43"
    assert said["10-19"] == "weekly 2025-W42"
    assert said["09-14"] == "weekly 2025-W37"
    assert said["08-31"] == "monthly 2025-08"
    assert said["07-31"] == "monthly 2025-07"
    assert said["07-30"] == "not the newest of 2025-07"
    assert said["12-31"] == "yearly 2024"
    assert said["09-30"] == "monthly 2025-09"
    assert len(plan.kept) == 7 + 9 + 6 + 3 + 1


def test_one_that_no_range_reaches_is_older_than_the_longest() -> None:
    plan = make_plan(Policy(zone=PARIS), [*nightly(5), backup("2023-11-08T01:59:59")], NOW)
    assert plan.verdicts[-1].reason == "older than 2023-11-08"
    assert not plan.verdicts[-1].kept


def test_stacked_ranges_begin_where_the_one_before_ends() -> None:
    policy = Policy(zone=PARIS, periods=Periods.STACKED)
    said = reasons(make_plan(policy, nightly(300), NOW))
    assert said["10-17"] == "daily 2025-10-17"
    assert said["10-16"] == "not the newest of 2025-W42"
    assert said["08-24"] == "weekly 2025-W34"
    assert said["04-30"] == "monthly 2025-04"


@pytest.mark.parametrize("seconds", [0, 1])
def test_a_backup_on_the_edge_of_a_range_is_in_it_and_a_second_older_is_not(seconds: int) -> None:
    edge = at("2025-11-01T02:00:00") - timedelta(seconds=seconds)
    plan = make_plan(Policy(zone=PARIS), [*nightly(4), backup(edge)], NOW)
    assert plan.verdicts[-1].rule is (Rule.DAILY if seconds else Rule.ALL)


def test_weeks_are_grouped_by_iso_year_across_new_year() -> None:
    days = ["2024-12-29T01:00", "2024-12-30T01:00", "2025-01-01T01:00", "2025-01-05T01:00"]
    policy = Policy(zone=PARIS, keep_monthly_months=0, keep_yearly_years=0)
    now = datetime(2025, 2, 10, 2, tzinfo=PARIS)
    plan = make_plan(policy, [*map(backup, days), *nightly(3, ends="2025-02-10T01:00")], now)
    said = reasons(plan)
    assert said["12-29"] == "weekly 2024-W52"
    assert said["12-30"] == said["01-01"] == "not the newest of 2025-W01"
    assert said["01-05"] == "weekly 2025-W01"


def test_the_day_of_a_backup_is_the_day_in_the_sets_zone() -> None:
    late = [datetime(2025, 10, 27, hour, 30, tzinfo=UTC) for hour in (22, 23)]
    plan = make_plan(Policy(zone=PARIS), [*nightly(3), *map(backup, late)], NOW)
    assert [verdict.reason for verdict in plan.verdicts[-2:]] == [
        "daily 2025-10-28",
        "daily 2025-10-27",
    ]


def test_of_a_second_that_has_two_archives_the_later_one_stays() -> None:
    first = backup("2025-10-28T01:00")
    second = backup("2025-10-28T01:00", key="shop-2025-10-28-01-00-00-2.zip", ordinal=2)
    plan = make_plan(Policy(zone=PARIS), [second, *nightly(3), first], NOW)
    assert [verdict.backup for verdict in plan.removed] == [first]


def test_the_newest_and_the_least_number_stay_however_old() -> None:
    ancient = nightly(5, ends="2015-03-01T01:00")
    plan = make_plan(Policy(zone=PARIS), ancient, NOW)
    assert [verdict.reason for verdict in plan.kept] == ["newest", "at least 3", "at least 3"]


def test_a_damaged_one_is_not_the_newest_and_holds_no_week_that_has_a_good_one() -> None:
    damaged = backup("2025-11-08T01:00", condition=Condition.DAMAGED)
    sunday = backup("2025-10-19T01:00", condition=Condition.DAMAGED)
    good = [backup("2025-11-07T01:00"), backup("2025-10-18T01:00")]
    said = reasons(make_plan(Policy(zone=PARIS, keep_at_least=1), [damaged, sunday, *good], NOW))
    assert said == {
        "11-08": "all",
        "11-07": "newest",
        "10-19": "not the newest of 2025-W42",
        "10-18": "weekly 2025-W42",
    }


def test_the_only_backup_of_a_week_stays_even_when_it_is_damaged() -> None:
    sunday = backup("2025-10-19T01:00", condition=Condition.DAMAGED)
    plan = make_plan(Policy(zone=PARIS, keep_at_least=1), [*nightly(3), sunday], NOW)
    assert plan.verdicts[-1].reason == "weekly 2025-W42"


def test_a_partial_scope_never_displaces_a_full_backup() -> None:
    full = backup("2025-10-28T01:00")
    dump = backup("2025-10-28T13:00", scope=Scope.ONLY_DB)
    plan = make_plan(Policy(zone=PARIS), [full, dump, *nightly(3)], NOW)
    assert all(verdict.kept for verdict in plan.verdicts)


def test_one_dated_in_the_future_stays_and_is_not_the_newest() -> None:
    tomorrow = backup("2025-11-09T01:00")
    plan = make_plan(Policy(zone=PARIS), [tomorrow, *nightly(3)], NOW)
    assert [verdict.reason for verdict in plan.verdicts[:2]] == ["dated in the future", "newest"]


def test_pinned_and_locked_ones_stay() -> None:
    pinned = backup("2019-05-01T01:00", pinned=True)
    locked = backup("2019-05-02T01:00", locked_until=at("2025-12-01T00:00"))
    free = backup("2019-05-03T01:00", locked_until=at("2025-11-01T00:00"))
    plan = make_plan(Policy(zone=PARIS), [pinned, locked, free, *nightly(3)], NOW)
    assert [verdict.reason for verdict in plan.verdicts[-3:]] == [
        "older than 2023-11-08",
        "locked until 2025-12-01",
        "pinned",
    ]


def test_the_size_cap_takes_the_oldest_first() -> None:
    policy = Policy(zone=PARIS, max_bytes=1_000_000_000)
    plan = make_plan(policy, nightly(12), NOW)
    assert [verdict.reason for verdict in plan.removed] == ["over 1000 MB", "over 1000 MB"]
    assert plan.removed[-1] == plan.verdicts[-1]
    assert plan.excess_bytes == 0


def test_the_size_cap_spares_newest_least_number_and_pinned_and_says_what_is_still_over() -> None:
    policy = Policy(zone=PARIS, max_bytes=150_000_000)
    pinned = backup("2025-11-01T01:00", pinned=True)
    plan = make_plan(policy, [*nightly(6), pinned], NOW)
    assert [verdict.reason for verdict in plan.kept] == ["newest", "all", "all", "pinned"]
    assert plan.excess_bytes == 250_000_000


def test_keeping_only_the_newest_n_keeps_pinned_ones_too() -> None:
    pinned = backup("2025-01-01T01:00", pinned=True)
    plan = make_plan(Policy(zone=PARIS).only_newest(2), [*nightly(4), pinned], NOW)
    assert [verdict.reason for verdict in plan.verdicts] == [
        "newest",
        "at least 2",
        "not among the 2 newest",
        "not among the 2 newest",
        "pinned",
    ]


def test_ranges_longer_than_the_calendar_keep_everything_they_can() -> None:
    policy = Policy(zone=PARIS, keep_all_days=10**9, keep_yearly_years=10**6)
    plan = make_plan(policy, [backup("1980-01-01T00:00"), *nightly(5)], NOW)
    assert not plan.removed
