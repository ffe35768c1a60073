from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backupd.caution import Circumstances, Refusal, objections
from backupd.model import Backup, Condition, Outcome
from backupd.retention import Policy, make_plan

NOW = datetime(2025, 11, 8, 2, 0, tzinfo=UTC)
CALM = Circumstances(now=NOW, last_run_at=NOW - timedelta(hours=1))
NIGHTLY = Policy(zone=UTC)


def backups(*ages: int, condition: Condition = Condition.UNPROVED) -> list[Backup]:
    return [
        Backup(
            set_name="shop",
            destination="local",
            key=f"shop-{age}.zip",
            created_at=NOW - timedelta(days=age),
            size=1,
            condition=condition,
        )
        for age in ages
    ]


def refusals(
    held: Sequence[Backup], known: Circumstances = CALM, policy: Policy = NIGHTLY
) -> list[Refusal]:
    return [each.refusal for each in objections(make_plan(policy, held, NOW), policy, known)]


OLD_ONE = 900


def test_an_ordinary_plan_meets_no_objection() -> None:
    assert refusals(backups(0, 1, 2, OLD_ONE)) == []


@pytest.mark.parametrize(("old", "refused"), [(4, False), (5, True)])
def test_more_than_half_at_one_time_is_refused(old: int, refused: bool) -> None:  # noqa: FBT001
    held = backups(0, 1, 2, 3, *range(OLD_ONE, OLD_ONE + old))
    assert (Refusal.TOO_MANY in refusals(held)) is refused


def test_of_fewer_than_four_any_share_may_go() -> None:
    policy = replace(NIGHTLY, keep_at_least=1)
    assert refusals(backups(0, OLD_ONE, OLD_ONE + 1), policy=policy) == []


def test_the_share_is_a_setting() -> None:
    held = backups(0, 1, 2, 3, *range(OLD_ONE, OLD_ONE + 5))
    assert refusals(held, replace(CALM, max_delete_percent=60)) == []


def test_a_clock_before_the_newest_backup_is_refused() -> None:
    assert refusals(backups(-1, 0, 1, 2, OLD_ONE)) == [Refusal.CLOCK]


def test_a_clock_before_the_last_run_is_refused() -> None:
    later = replace(CALM, last_run_at=NOW + timedelta(seconds=1))
    assert refusals(backups(0, 1, 2, OLD_ONE), later) == [Refusal.CLOCK]


def test_an_empty_policy_is_refused() -> None:
    policy = NIGHTLY.only_newest(3)
    assert refusals(backups(0, 1, 2, 3), policy=policy) == [Refusal.EMPTY_POLICY]


def test_three_failed_backup_runs_in_a_row_are_refused() -> None:
    failed = [Outcome.FAILED] * 3
    held = backups(0, 1, 2, OLD_ONE)
    assert refusals(held, replace(CALM, recent_backups=failed)) == [Refusal.FAILING_BACKUPS]
    assert refusals(held, replace(CALM, recent_backups=[Outcome.PARTIAL, *failed])) == []
    assert refusals(held, replace(CALM, recent_backups=failed[:2])) == []


def test_three_damaged_newest_backups_are_refused() -> None:
    held = [*backups(0, 1, 2, condition=Condition.DAMAGED), *backups(8, 9, 10, OLD_ONE)]
    assert refusals(held) == [Refusal.FAILING_BACKUPS]


def test_a_plan_that_removes_nothing_meets_no_objection() -> None:
    later = replace(CALM, last_run_at=NOW + timedelta(days=1))
    assert refusals(backups(0, 1, 2), later, NIGHTLY.only_newest(3)) == []


def test_every_objection_names_the_option_that_overrides_it_or_the_setting_to_change() -> None:
    worst = replace(CALM, last_run_at=NOW + timedelta(1), recent_backups=[Outcome.FAILED] * 3)
    policy = NIGHTLY.only_newest(1)
    found = objections(make_plan(policy, backups(*range(9)), NOW), policy, worst)
    assert {each.refusal for each in found} == set(Refusal)
    for each in found:
        assert f"--despite {each.refusal}" in each.hint
