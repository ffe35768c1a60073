"""What every destination promises (backupd.ports.Destination); a driver joins with a fixture."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backupd.destinations.local import LocalDirectory
from backupd.errors import DestinationError, ObjectNotFoundError
from backupd.ports import Destination
from fakes.destinations import MemoryDestination

TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def memory() -> MemoryDestination:
    return MemoryDestination()


@pytest.fixture
def local(tmp_path: Path) -> LocalDirectory:
    return LocalDirectory(name="local", path=tmp_path / "not there yet")


@pytest.fixture(params=["memory", "local"])
def destination(request: pytest.FixtureRequest) -> Destination:
    driver: Destination = request.getfixturevalue(request.param)
    return driver


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "given"
    path.write_bytes(bytes(range(256)) * 12_000)
    return path


def store(destination: Destination, key: str, path: Path) -> int:
    moved = 0

    def on_progress(count: int) -> None:
        nonlocal moved
        moved += count

    destination.store(key, path, on_progress=on_progress)
    return moved


def keys(destination: Destination, prefix: str = "") -> list[str]:
    return [stored.key for stored in destination.list(prefix)]


def test_what_was_stored_is_read_back_whole(destination: Destination, given: Path) -> None:
    store(destination, "shop-1.zip", given)
    assert b"".join(destination.read("shop-1.zip")) == given.read_bytes()


def test_store_tells_size_and_digest_of_what_is_there_now(
    destination: Destination, given: Path
) -> None:
    stored = destination.store("shop-1.zip", given, on_progress=lambda _: None)
    digest = hashlib.sha256(given.read_bytes()).hexdigest()
    assert (stored.key, stored.size, stored.sha256) == (
        "shop-1.zip",
        given.stat().st_size,
        digest,
    )


def test_progress_adds_up_to_the_size(destination: Destination, given: Path) -> None:
    assert store(destination, "shop-1.zip", given) == given.stat().st_size


def test_an_empty_object_is_an_object(destination: Destination, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    store(destination, "empty", tmp_path / "empty")
    assert keys(destination) == ["empty"]
    assert b"".join(destination.read("empty")) == b""


@pytest.mark.parametrize(
    ("start", "length"),
    [(0, 1), (100, 5000), (3_071_999, 1), (3_071_990, 100), (5, None), (3_072_000, 10), (7, 0)],
)
def test_a_range_is_read_as_a_slice(
    destination: Destination, given: Path, start: int, length: int | None
) -> None:
    store(destination, "shop-1.zip", given)
    end = None if length is None else start + length
    assert b"".join(destination.read("shop-1.zip", start, length)) == given.read_bytes()[start:end]


def test_list_gives_keys_with_the_prefix_in_ascending_order(
    destination: Destination, given: Path
) -> None:
    for key in ("shop-2", "shop-10", "shop-eu-1", "other"):
        store(destination, key, given)
    assert keys(destination, "shop-") == ["shop-10", "shop-2", "shop-eu-1"]
    assert keys(destination) == ["other", "shop-10", "shop-2", "shop-eu-1"]
    assert [stored.size for stored in destination.list("other")] == [given.stat().st_size]


def test_an_unused_destination_is_empty(destination: Destination) -> None:
    assert keys(destination) == []
    assert destination.sweep(TOMORROW) == []


def test_an_object_that_is_there_is_never_overwritten(
    destination: Destination, given: Path, tmp_path: Path
) -> None:
    store(destination, "shop-1.zip", given)
    (tmp_path / "other").write_bytes(b"other")
    with pytest.raises(DestinationError):
        store(destination, "shop-1.zip", tmp_path / "other")
    assert b"".join(destination.read("shop-1.zip")) == given.read_bytes()
    assert keys(destination) == ["shop-1.zip"]


def test_a_deleted_object_is_gone(destination: Destination, given: Path) -> None:
    store(destination, "shop-1.zip", given)
    assert destination.delete(["shop-1.zip"]) == {}
    assert keys(destination) == []
    with pytest.raises(ObjectNotFoundError):
        list(destination.read("shop-1.zip"))


def test_what_is_not_there_cannot_be_read(destination: Destination, given: Path) -> None:
    store(destination, "shop-1.zip", given)
    with pytest.raises(ObjectNotFoundError):
        list(destination.read("shop-2.zip"))


def test_many_are_deleted_at_once_and_one_that_is_gone_already_is_no_failure(
    destination: Destination, given: Path
) -> None:
    for number in range(5):
        store(destination, f"shop-{number}.zip", given)
    assert destination.delete(["shop-1.zip", "shop-9.zip", "shop-3.zip"]) == {}
    assert keys(destination) == ["shop-0.zip", "shop-2.zip", "shop-4.zip"]


def test_nothing_is_deleted_where_nothing_ever_was(destination: Destination) -> None:
    assert destination.delete(["shop-1.zip"]) == {}
    assert destination.delete([]) == {}


def test_a_store_that_is_cut_short_leaves_nothing(destination: Destination, given: Path) -> None:
    def cut(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        destination.store("shop-1.zip", given, on_progress=cut)
    assert keys(destination) == []


def test_sweep_spares_whole_objects(destination: Destination, given: Path) -> None:
    store(destination, "shop-1.zip", given)
    assert destination.sweep(TOMORROW) == []
    assert keys(destination) == ["shop-1.zip"]
