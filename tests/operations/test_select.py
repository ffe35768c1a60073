"""Which backup is meant."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backupd.errors import ObjectNotFoundError
from backupd.model import Backup, Condition, Scope
from backupd.operations.select import choose_backup, from_the_future, passed_over

AT = datetime(2025, 11, 8, 1, tzinfo=UTC)
NOW = AT + timedelta(days=9)


def backup(day: int, destination: str = "near", scope: Scope = Scope.FULL) -> Backup:
    at = AT + timedelta(days=day)
    key = f"shop-{at:%Y-%m-%d-%H-%M-%S}.zip"
    return Backup(
        set_name="shop", destination=destination, key=key, created_at=at, size=1, scope=scope
    )


def test_the_latest_is_the_newest_with_all_its_copies_the_nearest_first() -> None:
    old, near, far = backup(0), backup(1), backup(1, "far")
    assert choose_backup([near, old, far], now=NOW) == (near, far)


def test_a_moment_chooses_the_newest_not_after_it() -> None:
    assert choose_backup([backup(0), backup(1), backup(2)], now=NOW, at=AT + timedelta(days=1)) == (
        backup(1),
    )


def test_a_damaged_backup_is_passed_over_and_a_damaged_copy_comes_last() -> None:
    damaged = replace(backup(1), condition=Condition.DAMAGED)
    assert choose_backup([damaged, backup(0)], now=NOW) == (backup(0),)
    assert choose_backup([damaged, backup(1, "far")], now=NOW) == (backup(1, "far"), damaged)
    assert choose_backup([damaged], now=NOW) == (damaged,)


def test_the_latest_holds_what_is_asked_for() -> None:
    full, databases = backup(0), backup(1, scope=Scope.ONLY_DB)
    assert choose_backup([full, databases], now=NOW) == (full,)
    assert choose_backup([full, databases], now=NOW, scope=Scope.ONLY_DB) == (databases,)
    assert choose_backup([databases], now=NOW) == (databases,)


def test_a_name_is_taken_with_and_without_its_ending() -> None:
    one = backup(0)
    assert choose_backup([one, backup(1)], now=NOW, name=one.key.removesuffix(".zip")) == (one,)
    with pytest.raises(ObjectNotFoundError):
        choose_backup([one], now=NOW, name="shop")
    with pytest.raises(ObjectNotFoundError):
        choose_backup([one], now=NOW, at=AT - timedelta(days=1))


def test_what_is_dated_in_the_future_counts_only_if_there_is_nothing_else() -> None:
    past, future = backup(0), backup(10)
    databases = backup(1, scope=Scope.ONLY_DB)
    assert choose_backup([future, past], now=NOW) == (past,)
    assert choose_backup([future, past], now=NOW, at=future.created_at) == (past,)
    assert choose_backup([future, databases], now=NOW) == (databases,)
    assert choose_backup([future], now=NOW) == (future,)
    assert choose_backup([future, past], now=NOW, name=future.key) == (future,)


def test_what_is_dated_in_the_future_is_named_unless_it_is_chosen_or_not_wanted() -> None:
    past, future = backup(0), backup(10)
    every = [future, backup(10, "far"), past]
    assert from_the_future(every, [past], now=NOW, at=None) == (future.key,)
    assert from_the_future(every, [past], now=NOW, at=NOW) == ()
    assert from_the_future([future], [future], now=NOW, at=None) == ()
    assert passed_over(every, [past], now=NOW, at=None, scope=Scope.FULL) == ()


def test_what_is_newer_and_damaged_is_named_and_nothing_else() -> None:
    old, damaged = backup(0), replace(backup(2), condition=Condition.DAMAGED)
    other = replace(backup(3, scope=Scope.ONLY_DB), condition=Condition.DAMAGED)
    every = [old, backup(1), damaged, other]

    def named(at: datetime | None = None, scope: Scope = Scope.FULL) -> tuple[str, ...]:
        chosen = choose_backup(every, now=NOW, at=at, scope=scope)
        return passed_over(every, chosen, now=NOW, at=at, scope=scope)

    assert named() == (damaged.key,)
    assert named(scope=Scope.ONLY_DB) == (other.key, damaged.key)
    assert named(at=AT + timedelta(days=1)) == ()
    assert passed_over([damaged], [damaged], now=NOW, at=None, scope=Scope.FULL) == ()
