from datetime import UTC
from functools import partial
from pathlib import Path

import pytest

from backupd.catalog import Catalog
from backupd.errors import ObjectNotFoundError
from backupd.model import Outcome
from backupd.operations.pin import Pin, Unpin
from backupd.ports import Destination
from fakes.clock import FIRST_MOMENT
from fakes.destinations import FailingDestination, MemoryDestination
from fakes.listening import deaf
from fakes.nights import put_nightly


def catalogs(*destinations: Destination) -> list[Catalog]:
    return [Catalog(destination=each, set_name="shop", zone=UTC) for each in destinations]


@pytest.fixture
def here() -> MemoryDestination:
    return MemoryDestination("here")


@pytest.fixture
def there() -> MemoryDestination:
    return MemoryDestination("there")


def pinned(destination: Destination) -> list[str]:
    (catalog,) = catalogs(destination)
    return [backup.key for backup in catalog.backups() if backup.pinned]


def test_a_backup_is_pinned_wherever_it_is(
    here: MemoryDestination, there: MemoryDestination, tmp_path: Path
) -> None:
    key = put_nightly(here, FIRST_MOMENT, 3)[1]
    put_nightly(there, FIRST_MOMENT, 2)
    report = Pin(catalogs=catalogs(here, there), key=key, folder=tmp_path).run(deaf)
    assert report.outcome is Outcome.SUCCEEDED
    assert pinned(here) == pinned(there) == [key]


def test_the_ending_may_be_left_out(here: MemoryDestination, tmp_path: Path) -> None:
    key = put_nightly(here, FIRST_MOMENT, 1)[0]
    Pin(catalogs=catalogs(here), key=key.removesuffix(".zip"), folder=tmp_path).run(deaf)
    assert pinned(here) == [key]


def test_pinning_twice_and_unpinning_twice_change_nothing_more(
    here: MemoryDestination, tmp_path: Path
) -> None:
    key = put_nightly(here, FIRST_MOMENT, 1)[0]
    before = dict(here.objects)
    pinning = partial(Pin, folder=tmp_path)
    for operation in (pinning, pinning, Unpin, Unpin):
        report = operation(catalogs=catalogs(here), key=key).run(deaf)
        assert report.outcome is Outcome.SUCCEEDED
    assert here.objects == before


def test_the_pin_says_what_it_is_to_whoever_finds_it(
    here: MemoryDestination, tmp_path: Path
) -> None:
    key = put_nightly(here, FIRST_MOMENT, 1)[0]
    Pin(catalogs=catalogs(here), key=key, folder=tmp_path).run(deaf)
    assert b"never removes it" in here.objects[f"{key}.pinned"]


def test_a_backup_that_is_nowhere_cannot_be_pinned(here: MemoryDestination, tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError, match="no backup named shop-x"):
        Pin(catalogs=catalogs(here), key="shop-x", folder=tmp_path).run(deaf)


def test_where_a_destination_is_down_the_pin_is_partial(
    here: MemoryDestination, there: MemoryDestination, tmp_path: Path
) -> None:
    key = put_nightly(here, FIRST_MOMENT, 1)[0]
    report = Pin(catalogs=catalogs(here, FailingDestination(there)), key=key, folder=tmp_path).run(
        deaf
    )
    assert report.outcome is Outcome.PARTIAL
    assert pinned(here) == [key]


def test_a_mark_that_cannot_be_written_here_is_the_destinations_failure_and_no_bug(
    here: MemoryDestination,
) -> None:
    key = put_nightly(here, FIRST_MOMENT, 1)[0]
    report = Pin(catalogs=catalogs(here), key=key, folder=Path("/dev/null/spool")).run(deaf)
    (marking,) = report.destinations
    assert marking.error == "The spool /dev/null/spool cannot be used: Not a directory."
    assert "BACKUP_SPOOL" in marking.hint
