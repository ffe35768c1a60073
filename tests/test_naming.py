"""Archive names."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupd.naming import (
    archive_name,
    archive_time,
    dump_path,
    set_name_mistake,
    suffix_mistake,
)

PARIS = ZoneInfo("Europe/Paris")
WHEN = datetime(2025, 11, 8, 0, 0, 0, tzinfo=UTC)
SET_NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True).filter(
    lambda name: not set_name_mistake(name)
)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
SUFFIXES = st.sampled_from(["", "before-upgrade", "x.y"])
NUMBERS = st.integers(1, 12)


def test_a_name_has_the_time_in_the_sets_zone() -> None:
    assert archive_name("eli-voyages", WHEN, PARIS) == "eli-voyages-2025-11-08-01-00-00.zip"


def test_a_taken_name_gets_a_number_and_a_suffix_stands_before_it() -> None:
    assert archive_name("shop", WHEN, UTC, number=2) == "shop-2025-11-08-00-00-00-2.zip"
    name = archive_name("shop", WHEN, UTC, suffix="test", number=2)
    assert name == "shop-2025-11-08-00-00-00-test-2.zip"


@given(SET_NAMES, MOMENTS, SUFFIXES, NUMBERS)
def test_the_time_is_read_back_from_the_name(
    set_name: str, when: datetime, suffix: str, number: int
) -> None:
    name = archive_name(set_name, when, UTC, suffix=suffix, number=number)
    assert archive_time(set_name, name, UTC) == when


@given(MOMENTS)
def test_in_any_zone_the_time_comes_back_but_for_the_hour_that_comes_twice(when: datetime) -> None:
    read = archive_time("shop", archive_name("shop", when, PARIS), PARIS)
    assert read is not None
    assert abs(read - when).total_seconds() in {0, 3600}


@given(SET_NAMES, SET_NAMES, MOMENTS, SUFFIXES, NUMBERS)
def test_no_set_sees_the_archives_of_another(
    one: str, other: str, when: datetime, suffix: str, number: int
) -> None:
    name = archive_name(one, when, UTC, suffix=suffix, number=number)
    assert (archive_time(other, name, UTC) is not None) == (one == other)


@pytest.mark.parametrize(
    "key",
    [
        "shop-eu-2025-11-08-01-00-00.zip",
        "shop-2025-11-08-01-00-00.zip.sha256",
        "shop-2025-11-08-01-00-00.zip.partial",
        "shop-2025-11-08-01-00.zip",
        "shop-2025-02-30-01-00-00.zip",
        "shop-2025-11-08-01-00-00-eu-2025-11-08-01-00-00.zip",
        "shop-2025-11-08-01-00-00-2-eu.zip",
        "Shop-2025-11-08-01-00-00.zip",
        "shop-٢٠٢٥-11-08-01-00-00.zip",
        "shop.zip",
        "",
    ],
)
def test_other_names_are_none_of_ours(key: str) -> None:
    assert archive_time("shop", key, UTC) is None


@pytest.mark.parametrize("name", ["", "a b", "é", "-a", "a/b", "x" * 101, "a-2025-11-08-01-00-00"])
def test_a_set_cannot_have_any_name(name: str) -> None:
    assert set_name_mistake(name)


@pytest.mark.parametrize("suffix", ["", "2", "-a", "a-2", "a.zip", "a/b"])
def test_a_suffix_cannot_be_taken_for_something_else(suffix: str) -> None:
    assert suffix_mistake(suffix)


def test_a_dump_is_named_by_kind_name_and_time() -> None:
    assert (
        dump_path("sqlite", "main", WHEN, PARIS, "sqlite")
        == "db-dumps/sqlite-main-2025-11-08-01-00-00.sqlite"
    )
