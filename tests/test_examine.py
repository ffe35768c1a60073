from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupd.examine import examine
from backupd.health import Check, Health, Limits, Observed
from backupd.model import Backup, Condition, DatabaseFacts, Scope

NOW = datetime(2025, 11, 8, 3, 0, tzinfo=UTC)
MB = 1_000_000
LIMITS = Limits(max_bytes=None)


def backup(hours: float, size: int = 45_300_000, **facts: object) -> Backup:
    values = {
        "set_name": "shop",
        "destination": "local",
        "key": f"shop-{hours}-hours.zip",
        "created_at": NOW - timedelta(hours=hours),
        "size": size,
    }
    return Backup(**(values | facts))  # type: ignore[arg-type]


def nightly(count: int) -> list[Backup]:
    return [backup(2 + 24 * night) for night in range(count)]


def seen(backups: Iterable[Backup], **facts: object) -> Observed:
    values = {"set_name": "shop", "destination": "local", "backups": tuple(backups)}
    return Observed(**(values | facts))  # type: ignore[arg-type]


def found(observed: Observed, limits: Limits = LIMITS) -> list[Check]:
    return [finding.check for finding in examine(observed, limits, NOW).findings]


def only_message(observed: Observed, limits: Limits = LIMITS) -> str:
    (finding,) = examine(observed, limits, NOW).findings
    assert finding.hint
    return finding.message


def test_a_nightly_set_is_healthy() -> None:
    health = examine(seen(nightly(8)), LIMITS, NOW)
    assert health.healthy
    assert (health.count, health.total_bytes) == (8, 8 * 45_300_000)
    assert health.newest == backup(2)
    assert health.oldest == backup(2 + 24 * 7)


def test_an_empty_destination_is_not_healthy() -> None:
    assert only_message(seen([])) == "There is no backup."


def test_a_destination_out_of_reach_is_one_finding_with_its_reason() -> None:
    health = examine(seen([], error="It is down.", hint="Start it."), LIMITS, NOW)
    assert [finding.message for finding in health.findings] == ["It is down."]
    assert not health.reachable


@pytest.mark.parametrize(("hours", "old"), [(24, False), (24.01, True)])
def test_the_newest_is_too_old_after_max_age(hours: float, old: bool) -> None:  # noqa: FBT001
    assert (Check.AGE in found(seen([backup(hours)]))) is old


def test_an_only_db_backup_does_not_make_the_full_ones_young() -> None:
    held = [backup(1, scope=Scope.ONLY_DB), backup(50)]
    assert only_message(seen(held)) == "The newest good backup is 2 days old, more than 1 day."


def test_a_set_that_only_ever_dumps_databases_is_judged_by_these() -> None:
    assert found(seen([backup(1, scope=Scope.ONLY_DB)])) == []


def test_a_damaged_newest_does_not_make_the_set_young() -> None:
    held = [backup(2, condition=Condition.DAMAGED), backup(26), backup(50), backup(74)]
    assert found(seen(held)) == [Check.AGE, Check.DAMAGED]


def test_a_backup_dated_in_the_future_does_not_make_the_set_young() -> None:
    held = [backup(-5), backup(30)]
    assert found(seen(held)) == [Check.AGE, Check.FUTURE]


def test_too_many_bytes_in_all() -> None:
    limits = replace(LIMITS, max_bytes=100 * MB)
    assert only_message(seen(nightly(3)), limits) == "The backups hold 135.9 MB, more than 100 MB."


def test_one_that_shrank_below_half_of_the_median_is_found() -> None:
    held = [backup(2, size=20 * MB), *nightly(6)[1:]]
    assert (
        only_message(seen(held)) == "The newest backup has 20 MB; the ones before it have 45.3 MB."
    )


def test_one_that_shrank_to_just_half_is_not() -> None:
    assert found(seen([backup(2, size=22_650_000), *nightly(6)[1:]])) == []


def test_one_odd_backup_before_does_not_move_the_median() -> None:
    held = [*nightly(6), backup(13, size=900 * MB)]
    assert found(seen(held)) == []


def test_only_the_last_ten_are_compared_with() -> None:
    small = [backup(2 + 24 * night, size=10 * MB) for night in range(11)]
    large = [backup(2 + 24 * night, size=900 * MB) for night in range(11, 60)]
    assert found(seen([*small, *large])) == []


def test_a_shrunk_dump_is_found_in_an_archive_that_did_not_shrink() -> None:
    held = nightly(5)
    sizes = {each.key: {"shop": 20 * MB, "users": 5 * MB} for each in held}
    sizes[held[0].key] = {"shop": 20 * MB, "users": 0}
    assert only_message(seen(held, dump_sizes=sizes)) == (
        "The newest dump of the database 'users' has 0 B; the ones before it have 5 MB."
    )


def rows(**tables: int) -> tuple[DatabaseFacts, ...]:
    return (DatabaseFacts(name="main", kind="sqlite", tables=tables),)


def test_a_table_that_lost_its_rows_is_found_in_a_dump_that_did_not_shrink() -> None:
    held = nightly(3)
    known = {each.key: rows(orders=5000, users=9000) for each in held}
    known[held[0].key] = rows(orders=12, users=9000)
    assert only_message(seen(held, databases=known)) == (
        "The newest dump of the database 'main' has far fewer rows than the ones before it: "
        "orders 12 (5,000 before)."
    )


def test_rows_are_compared_with_those_of_good_full_backups_only() -> None:
    held = [
        backup(2),
        backup(3, scope=Scope.ONLY_DB),
        backup(4, condition=Condition.DAMAGED),
        backup(26),
    ]
    counts = (700, 1, 2, 800)
    known = {each.key: rows(orders=n) for each, n in zip(held, counts, strict=True)}
    assert found(seen(held, databases=known)) == [Check.DAMAGED]
    known[held[0].key] = rows(orders=300)
    assert found(seen(held, databases=known)) == [Check.ROWS_SHRUNK, Check.DAMAGED]


def test_where_no_rows_are_known_nothing_is_said() -> None:
    held = nightly(3)
    assert found(seen(held, databases={held[0].key: rows(orders=0)})) == []
    assert found(seen(held, databases={held[1].key: rows(orders=900)})) == []


def test_a_database_that_is_not_backed_up_any_more_is_no_finding() -> None:
    held = nightly(5)
    sizes = {each.key: {"shop": 20 * MB, "old": 5 * MB} for each in held}
    sizes[held[0].key] = {"shop": 20 * MB}
    assert found(seen(held, dump_sizes=sizes)) == []


def test_fewer_than_were_delivered_and_should_stay() -> None:
    assert only_message(seen(nightly(1), delivered=5)) == (
        "Only 1 backup of the 5 that were delivered is left, and at least 3 should be."
    )
    assert found(seen(nightly(1), delivered=1)) == []


@pytest.mark.parametrize(("free", "low"), [(99 * MB, True), (100 * MB, False)])
def test_too_little_free_space(free: int, low: bool) -> None:  # noqa: FBT001
    limits = replace(LIMITS, min_free_bytes=100 * MB)
    assert (found(seen(nightly(3), free_bytes=free), limits) == [Check.FREE_SPACE]) is low


def test_no_room_for_another_backup_is_found_without_a_limit() -> None:
    assert only_message(seen(nightly(3), free_bytes=40 * MB)) == (
        "40 MB are free, and another backup needs 45.3 MB."
    )


def test_unverified_for_too_long() -> None:
    limits = replace(LIMITS, verified_within=timedelta(days=7))
    proved = backup(24 * 8, condition=Condition.PROVED, verified_at=NOW - timedelta(days=8))
    assert "for 8 days" in only_message(seen([*nightly(3), proved]), limits)
    assert found(seen(nightly(3)), limits) == [], "the oldest is younger than the limit"
    assert "yet" in only_message(seen(nightly(9)), limits)


def test_a_clock_that_is_off() -> None:
    ahead = timedelta(minutes=7)
    assert only_message(seen(nightly(3), clock_ahead=ahead)) == (
        "This machine's clock is 7 minutes behind the destination's."
    )
    assert "ahead of" in only_message(seen(nightly(3), clock_ahead=-ahead))
    assert found(seen(nightly(3), clock_ahead=timedelta(minutes=5))) == []


def test_what_waits_and_what_was_left_and_what_did_not_run() -> None:
    observed = seen(
        nightly(3),
        leftovers=(".shop.zip.partial",),
        undelivered=("a.zip", "b.zip", "c.zip", "d.zip"),
        missed_runs=(NOW - timedelta(hours=26),),
    )
    health = examine(observed, LIMITS, NOW)
    assert [finding.message for finding in health.findings] == [
        "Deliveries that died left behind: .shop.zip.partial.",
        "4 archives not delivered yet: a.zip, b.zip, c.zip and 1 more.",
        "1 backup did not run when due: 2025-11-07 01:00 UTC.",
    ]


def test_everything_that_is_wrong_is_found_at_once() -> None:
    held = [
        backup(-1),
        backup(50, size=0, condition=Condition.DAMAGED),
        backup(51, size=MB),
        *(backup(24 * night) for night in range(3, 9)),
    ]
    sizes = {each.key: {"users": 5 * MB if each.size > MB else 1} for each in held}
    observed = seen(
        held,
        dump_sizes=sizes,
        databases={each.key: rows(users=each.size) for each in held},
        left_out={held[2].key: ".env"},
        delivered=30,
        free_bytes=1,
        clock_ahead=timedelta(hours=1),
        leftovers=("x",),
        undelivered=("y",),
        missed_runs=(NOW,),
    )
    limits = Limits(max_bytes=1, verified_within=timedelta(days=1), keep_at_least=20)
    assert set(found(observed, limits)) == set(Check) - {Check.REACHABLE}


def test_what_the_newest_lacks_is_found_and_what_an_earlier_one_lacked_is_not() -> None:
    newest, earlier = backup(1), backup(25)
    lacking = {earlier.key: ".env"}
    assert found(seen([newest, earlier], left_out=lacking)) == []
    (finding,) = examine(seen([newest], left_out={newest.key: ".env"}), LIMITS, NOW).findings
    assert (finding.check, ".env" in finding.message) == (Check.LEFT_OUT, True)


def test_every_finding_says_what_to_do() -> None:
    observed = seen([], error="", leftovers=("x",), undelivered=("y",), missed_runs=(NOW,))
    assert all(finding.hint for finding in examine(observed, LIMITS, NOW).findings)


sizes_given = st.lists(st.integers(0, 10**12), min_size=1, max_size=25)


@given(sizes_given, st.integers(0, 99))
def test_the_order_of_backups_does_not_matter(sizes: Sequence[int], percent: int) -> None:
    held = [backup(2 + 24 * night, size=size) for night, size in enumerate(sizes)]
    limits = replace(LIMITS, max_shrink_percent=percent)

    def health(backups: Iterable[Backup]) -> Health:
        return examine(seen(backups), limits, NOW)

    assert health(held) == health(reversed(held))


@given(sizes_given)
def test_a_set_that_never_shrinks_is_never_said_to(sizes: Sequence[int]) -> None:
    growing = sorted(sizes, reverse=True)
    held = [backup(2 + 24 * night, size=size) for night, size in enumerate(growing)]
    assert Check.SHRUNK not in found(seen(held))
