"""What is tried again, how often and after which pauses."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from backupd.destinations.retrying import RetryingDestination
from backupd.errors import DestinationError, ObjectNotFoundError
from fakes.clock import FIRST_MOMENT
from fakes.destinations import FailingDestination, MemoryDestination


@pytest.fixture
def memory() -> MemoryDestination:
    memory = MemoryDestination()
    memory.objects["there"] = b"0123456789"
    return memory


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"content")
    return tmp_path / "file"


def test_it_tries_again_until_it_goes_well(memory: MemoryDestination, file: Path) -> None:
    failing = FailingDestination(memory, times=2)
    told: list[tuple[str, str]] = []
    patient = RetryingDestination(
        inner=failing,
        pause=lambda _: None,
        on_failure=lambda name, error, _: told.append((name, str(error))),
    )
    patient.store("key", file, on_progress=lambda _: None)
    assert memory.objects["key"] == b"content"
    assert (patient.name, failing.calls) == ("memory", 3)
    assert told == [("memory", "'memory' is down.")] * 2


def test_after_the_last_try_the_failure_itself_is_raised(memory: MemoryDestination) -> None:
    failing = FailingDestination(memory)
    patient = RetryingDestination(inner=failing, pause=lambda _: None, tries=4)
    with pytest.raises(DestinationError, match="'memory' is down"):
        list(patient.list(""))
    assert failing.calls == 4


def test_pauses_double_with_jitter_and_have_an_end(memory: MemoryDestination) -> None:
    pauses: list[float] = []
    patient = RetryingDestination(
        inner=FailingDestination(memory), pause=pauses.append, tries=12, delay=10
    )
    with pytest.raises(DestinationError):
        patient.sweep(FIRST_MOMENT)
    for number, pause in enumerate(pauses):
        least = min(10 * 2**number, 900)
        assert least <= pause <= least + 10
    assert len(pauses) == 11


def test_what_will_not_go_better_is_not_tried_again(memory: MemoryDestination, file: Path) -> None:
    patient = RetryingDestination(inner=memory, pause=lambda _: pytest.fail("it paused"))
    with pytest.raises(DestinationError, match="is there"):
        patient.store("there", file, on_progress=lambda _: None)
    with pytest.raises(ObjectNotFoundError):
        list(patient.read("not there"))


def test_reading_goes_on_where_it_broke_off() -> None:
    """The connection breaks after every second byte; each break has tries of its own."""
    asked: list[tuple[int, int | None]] = []

    class Brittle(MemoryDestination):
        def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
            asked.append((start, length))
            content = b"".join(super().read(key, start, length))
            yield from (content[at : at + 1] for at in range(min(2, len(content))))
            if len(content) > 2:
                raise DestinationError("cut", temporary=True)

    brittle = Brittle()
    brittle.objects["there"] = b"0123456789"
    patient = RetryingDestination(inner=brittle, pause=lambda _: None, tries=2)
    assert b"".join(patient.read("there", 1)) == b"123456789"
    assert asked == [(1, None), (3, None), (5, None), (7, None), (9, None)]
    asked.clear()
    assert b"".join(patient.read("there", 1, 5)) == b"12345"
    assert asked == [(1, 5), (3, 3), (5, 1)]


def test_an_object_that_a_failed_try_deleted_is_deleted() -> None:
    class LosesReplies(MemoryDestination):
        def delete(self, keys: Sequence[str]) -> Mapping[str, DestinationError]:
            there = [key for key in keys if key in self.objects]
            super().delete(keys)
            if there:
                raise DestinationError("the reply was lost", temporary=True)
            return {}

    loses = LosesReplies()
    loses.objects["there"] = b""
    RetryingDestination(inner=loses, pause=lambda _: None).delete(["there"])
    assert loses.objects == {}
