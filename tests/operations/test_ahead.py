"""The walk that runs ahead of the archive."""

import threading
from collections.abc import Iterator

import pytest

from backupd.errors import SourceError
from backupd.model import Member, MemberKind, Omission, OmissionReason
from backupd.operations.ahead import Ahead

GONE = Omission(path="gone", reason=OmissionReason.VANISHED)


def numbered(number: int) -> Member:
    return Member(path=str(number), kind=MemberKind.FILE, mtime_ns=0, mode=0o600, size=10)


def test_everything_comes_in_its_order_and_is_counted() -> None:
    given: list[Member | Omission] = [
        *map(numbered, range(1000)),
        GONE,
        *map(numbered, range(1000, 1234)),
    ]
    with Ahead(given) as items:
        assert list(items) == given
        assert items.is_complete
        assert (items.members, items.content_bytes) == (1234, 12_340)


def test_what_the_source_raises_is_raised_after_what_it_gave_before() -> None:
    def source() -> Iterator[Member]:
        yield from map(numbered, range(256))
        raise SourceError("The disk is gone.")

    taken: list[Member | Omission] = []
    with Ahead(source()) as items, pytest.raises(SourceError, match="The disk is gone"):
        taken += items
    assert len(taken) == 256


def test_it_waits_for_whoever_is_slower_and_ends_with_them() -> None:
    given = 0
    far = threading.Event()

    def source() -> Iterator[Member]:
        nonlocal given
        while True:
            given += 1
            if given == 90_000:
                far.set()
            yield numbered(given)

    with Ahead(source()) as items:
        assert far.wait(60)
        assert next(iter(items)) == numbered(1)
    assert given < 110_000
    assert "walk" not in [thread.name for thread in threading.enumerate()]
