"""Which backup is meant."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backupd.errors import ObjectNotFoundError
from backupd.model import Backup, Condition, Scope
from backupd.operations.select import choose_backup, passed_over

AT = datetime(2025, 11, 8, 1, tzinfo=UTC)


def backup(day: int, destination: str = "near", scope: Scope = Scope.FULL) -> Backup:
    at = AT + timedelta(days=day)
    key = f"shop-{at:%Y-%m-%d-%H-%M-%S}.zip"
    return Backup(
        set_name="shop", destination=destination, key=key, created_at=at, size=1, scope=scope
    )


def test_the_latest_is_the_newest_with_all_its_copies_the_nearest_first() -> None:
    old, near, far = backup(0), backup(1), backup(1, "far")
    assert choose_backup([near, old, far]) == (near, far)


def test_a_moment_chooses_the_newest_not_after_it() -> None:
    assert choose_backup([backup(0), backup(1), backup(2)], at=AT + timedelta(days=1)) == (
        backup(1),
    )


def test_a_damaged_backup_is_passed_over_and_a_damaged_copy_comes_last() -> None:
    damaged = replace(backup(1), condition=Condition.DAMAGED)
    assert choose_backup([damaged, backup(0)]) == (backup(0),)
    assert choose_backup([damaged, backup(1, "far")]) == (backup(1, "far"), damaged)
    assert choose_backup([damaged]) == (damaged,)


def test_the_latest_holds_what_is_asked_for() -> None:
    full, databases = backup(0), backup(1, scope=Scope.ONLY_DB)
    assert choose_backup([full, databases]) == (full,)
    assert choose_backup([full, databases], scope=Scope.ONLY_DB) == (databases,)
    assert choose_backup([databases]) == (databases,)


def test_a_name_is_taken_with_and_without_its_ending() -> None:
    one = backup(0)
    assert choose_backup([one, backup(1)], name=one.key.removesuffix(".zip")) == (one,)
    with pytest.raises(ObjectNotFoundError):
        choose_backup([one], name="shop")
    with pytest.raises(ObjectNotFoundError):
        choose_backup([one], at=AT - timedelta(days=1))


def test_what_is_newer_and_damaged_is_named_and_nothing_else() -> None:
    old, damaged = backup(0), replace(backup(2), condition=Condition.DAMAGED)
    other = replace(backup(3, scope=Scope.ONLY_DB), condition=Condition.DAMAGED)
    every = [old, backup(1), damaged, other]

    def named(at: datetime | None = None, scope: Scope = Scope.FULL) -> tuple[str, ...]:
        chosen = choose_backup(every, at=at, scope=scope)
        return passed_over(every, chosen, at=at, scope=scope)

    assert named() == (damaged.key,)
    assert named(scope=Scope.ONLY_DB) == (other.key, damaged.key)
    assert named(at=AT + timedelta(days=1)) == ()
    assert passed_over([damaged], [damaged], at=None, scope=Scope.FULL) == ()
