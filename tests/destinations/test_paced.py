"""How long a rate makes a destination wait."""

from pathlib import Path

import pytest

from backupd.destinations.paced import Pace, PacedDestination
from fakes.destinations import MemoryDestination


class Seconds:
    """A monotonic clock that a pause moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def paced(inner: MemoryDestination, seconds: Seconds, rate: float) -> PacedDestination:
    pace = Pace(bytes_per_second=rate, monotonic=seconds)
    return PacedDestination(inner=inner, pace=pace, pause=seconds.pause)


def test_bytes_take_as_long_as_the_rate_says(tmp_path: Path, seconds: Seconds) -> None:
    (tmp_path / "file").write_bytes(bytes(5000))
    moved: list[int] = []
    destination = paced(memory := MemoryDestination(), seconds, 1000)
    destination.store("key", tmp_path / "file", on_progress=moved.append)
    assert b"".join(destination.read("key")) == memory.objects["key"]
    assert seconds.now == pytest.approx(110)
    assert moved == [5000]
    assert [stored.key for stored in destination.list("")] == ["key"]
    destination.delete(["key"])
    assert memory.objects == {}


def test_many_small_pieces_are_waited_for_together(seconds: Seconds) -> None:
    pace = Pace(bytes_per_second=1000, monotonic=seconds)
    assert [round(pace.after(5), 3) for _ in range(4)] == [0.005, 0.01, 0.015, 0.02]


def test_what_was_not_used_is_not_saved_up(seconds: Seconds) -> None:
    pace = Pace(bytes_per_second=1000, monotonic=seconds)
    pace.after(1000)
    seconds.now += 3600
    assert pace.after(1000) == pytest.approx(1)


def test_a_piece_too_small_to_wait_for_is_not_waited_for(tmp_path: Path, seconds: Seconds) -> None:
    (tmp_path / "file").write_bytes(b"x")
    destination = paced(MemoryDestination(), seconds, 1000)
    destination.store("key", tmp_path / "file", on_progress=lambda _: None)
    assert seconds.pauses == []
