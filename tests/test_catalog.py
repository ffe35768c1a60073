from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupd.catalog import Catalog, Known
from backupd.model import Backup, Condition, Scope
from backupd.naming import (
    archive_name,
    archive_number,
    archive_of,
    archive_time,
    checksum_key,
    pin_key,
    scope_key,
)
from fakes.destinations import MemoryDestination
from fakes.nights import whole_zip

KEY = "shop-2025-11-08-01-00-00.zip"
NOW = datetime(2025, 11, 8, 1, 0, tzinfo=UTC)


@pytest.fixture
def memory() -> MemoryDestination:
    memory = MemoryDestination()
    memory.objects[KEY] = whole_zip()
    return memory


def only(memory: MemoryDestination, known: Known | None = None, lock_days: int = 0) -> Backup:
    catalog = Catalog(
        destination=memory,
        set_name="shop",
        zone=UTC,
        known=lambda: {KEY: known} if known else {},
        lock_days=lock_days,
    )
    (backup,) = catalog.backups()
    return backup


def test_an_archive_alone_is_a_full_backup_of_which_nothing_more_is_known(
    memory: MemoryDestination,
) -> None:
    assert only(memory) == Backup(
        set_name="shop",
        destination="memory",
        key=KEY,
        created_at=NOW,
        size=len(whole_zip()),
    )


def test_marks_beside_an_archive_tell_its_scope_and_that_it_is_pinned(
    memory: MemoryDestination,
) -> None:
    memory.objects |= {scope_key(KEY, Scope.ONLY_FILES): b"", pin_key(KEY): b""}
    assert (only(memory).scope, only(memory).pinned) == (Scope.ONLY_FILES, True)


def test_marks_of_another_archive_tell_nothing(memory: MemoryDestination) -> None:
    memory.objects |= {pin_key("shop-2025-11-07-01-00-00.zip"): b"", pin_key("shop.zip"): b""}
    assert not only(memory).pinned


@pytest.mark.parametrize("size", [0, 21])
def test_what_is_too_small_for_any_zip_is_damaged(memory: MemoryDestination, size: int) -> None:
    memory.objects[KEY] = bytes(size)
    assert only(memory).condition is Condition.DAMAGED


def test_what_is_not_of_the_size_that_was_delivered_is_damaged(memory: MemoryDestination) -> None:
    size = len(whole_zip())
    assert only(memory, Known(size=size)).condition is Condition.UNPROVED
    assert only(memory, Known(size=size + 1)).condition is Condition.DAMAGED


def test_what_the_history_knows_is_told(memory: MemoryDestination) -> None:
    known = Known(condition=Condition.PROVED, verified_at=NOW, encrypted=True)
    backup = only(memory, known)
    assert (backup.condition, backup.verified_at) == (Condition.PROVED, NOW)
    assert backup.encrypted is True


def test_members_are_carried_from_the_newest_full_backup_that_may_be_good(
    memory: MemoryDestination,
) -> None:
    days = {day: f"shop-2025-11-0{day}-01-00-00.zip" for day in range(1, 8)}
    memory.objects |= dict.fromkeys(days.values(), whole_zip())
    memory.objects[scope_key(days[6], Scope.ONLY_DB)] = b""
    known = {days[5]: Known(condition=Condition.DAMAGED)}
    catalog = Catalog(
        destination=memory, set_name="shop", zone=ZoneInfo("UTC"), known=lambda: known
    )
    backup = catalog.to_carry_from(datetime(2025, 11, 6, 12, tzinfo=UTC))
    assert backup is not None
    assert backup.key == days[4]
    assert catalog.to_carry_from(datetime(2025, 10, 1, tzinfo=UTC)) is None


def test_an_object_lock_is_counted_from_when_the_object_was_stored(
    memory: MemoryDestination,
) -> None:
    (stored,) = memory.list(KEY)
    assert only(memory, lock_days=30).locked_until == stored.modified_at + timedelta(days=30)


def test_a_second_archive_of_the_same_second_is_the_newer_one(memory: MemoryDestination) -> None:
    again = KEY.replace(".zip", "-2.zip")
    tenth = KEY.replace(".zip", "-10.zip")
    memory.objects |= {again: whole_zip(), tenth: whole_zip()}
    catalog = Catalog(destination=memory, set_name="shop", zone=UTC)
    assert [backup.key for backup in catalog.backups()] == [tenth, again, KEY]


def test_everything_else_is_foreign_or_an_orphan(memory: MemoryDestination) -> None:
    orphan = checksum_key("shop-2025-11-07-01-00-00.zip")
    foreign = {"shop-eu-2025-11-08-01-00-00.zip", KEY + ".bak", "shop-.zip", "shop-x.zip.pinned"}
    memory.objects |= dict.fromkeys([*foreign, orphan, checksum_key(KEY)], b"")
    holding = Catalog(destination=memory, set_name="shop", zone=UTC).holding()
    assert set(holding.foreign) == foreign
    assert [each.key for each in holding.orphans] == [orphan]
    assert holding.beside == {KEY: (checksum_key(KEY),)}


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(1, 12),
    st.sampled_from(["", "before", "v1.2"]),
)
def test_number_and_time_are_read_back_from_the_name(
    when: datetime, number: int, suffix: str
) -> None:
    zone = ZoneInfo("Asia/Tokyo")
    name = archive_name("my-shop", when, zone, suffix=suffix, number=number)
    assert archive_number(name) == number
    assert archive_time("my-shop", name, zone) == when.replace(microsecond=0)
    for beside in (checksum_key(name), pin_key(name), scope_key(name, Scope.ONLY_DB)):
        assert archive_of(beside) == name
        assert archive_time("my-shop", beside, zone) is None
