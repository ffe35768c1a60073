"""Deliveries that stand alone: who gets what, when, and what the spool keeps."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from backupd.errors import DestinationError, Interrupted
from backupd.events import CopyEnded, CopyFound, CopyStarted, LeftoversSwept, Progressed, SpoolHolds
from backupd.model import Backup, Outcome, Scope, StoredObject
from backupd.naming import pin_key
from backupd.operations.beside import PIN_TEXT
from backupd.operations.deliver import Deliver, Delivery
from backupd.ports import Destination, Progress
from backupd.spool import Spool
from fakes.clock import WoundClock
from fakes.destinations import FailingDestination, MemoryDestination
from fakes.listening import Listener, deaf

OLD, MIDDLE, NEW = (f"shop-2025-11-0{day}-01-00-00.zip" for day in (6, 7, 8))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(path=tmp_path, set_name="shop", zone=ZoneInfo("UTC"))


def put(spool: Spool, *names: str) -> None:
    for name in names:
        (spool.path / name).write_bytes(name.encode() * 100)


def in_spool(spool: Spool) -> list[str]:
    return [archive.name for archive in spool.archives()]


def with_checksums(*names: str) -> list[str]:
    return sorted([*names, *(f"{name}.sha256" for name in names)])


def holding(name: str, *archives: str) -> MemoryDestination:
    destination = MemoryDestination(name)
    for archive in archives:
        content = archive.encode() * 100
        destination.objects[archive] = content
        digest = hashlib.sha256(content).hexdigest()
        destination.objects[f"{archive}.sha256"] = f"{digest}  {archive}\n".encode()
    return destination


def zip_of_nothing() -> bytes:
    file = io.BytesIO()
    zipfile.ZipFile(file, "w").close()
    return file.getvalue()


def deliver(spool: Spool, *destinations: Destination, **more: object) -> Deliver:
    return Deliver(
        spool=spool,
        deliveries=[Delivery(destination=each) for each in destinations],
        clock=WoundClock(),
        **{"awaited": [each.name for each in destinations], **more},  # type: ignore[arg-type]
    )


def test_every_destination_gets_archive_and_checksum_and_the_spool_is_emptied(
    spool: Spool,
) -> None:
    put(spool, NEW)
    one, two = MemoryDestination("one"), MemoryDestination("two")
    report = deliver(spool, one, two, fresh=NEW).run(deaf)
    assert report.outcome is Outcome.SUCCEEDED
    assert list(one.objects) == list(two.objects) == with_checksums(NEW)
    assert one.objects[NEW] == NEW.encode() * 100
    assert list(spool.path.iterdir()) == []


def test_a_checksum_is_one_that_sha256sum_reads(spool: Spool) -> None:
    put(spool, NEW)
    digest = hashlib.sha256((spool.path / NEW).read_bytes()).hexdigest()
    deliver(spool, one := MemoryDestination("one")).run(deaf)
    assert one.objects[f"{NEW}.sha256"].decode() == f"{digest}  {NEW}\n"


def test_a_dead_destination_does_not_hurt_the_others_and_the_spool_keeps_its_archive(
    spool: Spool,
) -> None:
    put(spool, NEW)
    dead, alive = FailingDestination(MemoryDestination("dead")), MemoryDestination("alive")
    listener = Listener()
    report = deliver(spool, dead, alive, fresh=NEW).run(listener)
    assert report.outcome is Outcome.PARTIAL
    assert {copy.destination: copy.succeeded for copy in report.copies} == {
        "dead": False,
        "alive": True,
    }
    assert list(alive.objects) == with_checksums(NEW)
    assert in_spool(spool) == [NEW]
    size = (spool.path / NEW).stat().st_size
    assert listener.of(SpoolHolds) == [SpoolHolds(archives=1, size=size, waiting_for=("dead",))]


def test_a_slow_destination_does_not_hold_up_the_others(spool: Spool) -> None:
    """The slow one waits until the quick one has its copy: in turn, this would never end."""
    put(spool, NEW)
    quick_is_done = threading.Event()

    class Slow(MemoryDestination):
        def store(self, key: str, path: Path, *, on_progress: Progress) -> StoredObject:
            assert quick_is_done.wait(30)
            return super().store(key, path, on_progress=on_progress)

    def observe(event: object) -> None:
        if isinstance(event, CopyEnded) and event.copy.destination == "quick":
            quick_is_done.set()

    report = deliver(spool, Slow("slow"), MemoryDestination("quick")).run(observe)
    assert report.outcome is Outcome.SUCCEEDED


def test_what_a_destination_missed_comes_from_the_spool_the_oldest_first(spool: Spool) -> None:
    dead = FailingDestination(MemoryDestination("back"))
    alive = MemoryDestination("alive")
    for name in (OLD, MIDDLE):
        put(spool, name)
        deliver(spool, dead, alive, fresh=name).run(deaf)
    put(spool, NEW)
    listener = Listener()
    report = deliver(spool, dead.inner, alive, fresh=NEW).run(listener)
    assert report.outcome is Outcome.SUCCEEDED
    started = [(each.key, each.late) for each in listener.of(CopyStarted)]
    assert [each for each in started if each[0] != NEW] == [(OLD, True), (MIDDLE, True)]
    assert sorted(dead.inner.objects) == with_checksums(OLD, MIDDLE, NEW)
    assert in_spool(spool) == []


def test_a_new_destination_gets_what_its_sister_has(spool: Spool) -> None:
    put(spool, NEW)
    sister, added = holding("sister", OLD, MIDDLE), MemoryDestination("added")
    report = deliver(spool, sister, added, fresh=NEW).run(deaf)
    assert [copy.key for copy in report.copies if copy.destination == "added"] == [
        NEW,
        OLD,
        MIDDLE,
    ]
    assert added.objects == sister.objects
    assert list(spool.path.iterdir()) == []


def test_a_machine_without_a_spool_brings_from_a_sister_too(spool: Spool) -> None:
    sister, added = holding("sister", OLD), MemoryDestination("added")
    deliver(replace(spool, path=spool.path / "not there yet"), sister, added).run(deaf)
    assert added.objects == sister.objects


def test_what_came_from_a_sister_keeps_its_scope_until_it_is_delivered(spool: Spool) -> None:
    mark = f"{OLD}.only-db"
    sister, added = holding("sister", OLD), MemoryDestination("added")
    sister.objects[mark] = b"This backup is not a full one: only-db.\n"
    deliver(spool, sister, FailingDestination(added, at=3, times=1)).run(deaf)
    assert [archive.scope for archive in spool.archives()] == [Scope.ONLY_DB]
    deliver(spool, sister, added).run(deaf)
    assert sorted(added.objects) == sorted([*with_checksums(OLD), mark])


def test_a_pin_goes_along_to_a_destination_that_is_filled_later(spool: Spool) -> None:
    """Nothing but the pin keeps it there, so that it would be fetched again and again."""

    def pinned_ones(backups: Sequence[Backup]) -> set[str]:
        return {backup.key for backup in backups if backup.pinned}

    sister, added = holding("sister", OLD), MemoryDestination("added")
    sister.objects[pin_key(OLD)] = PIN_TEXT.encode()
    failing = FailingDestination(added, at=4, times=1)
    deliver(spool, sister, failing, wanted=pinned_ones).run(deaf)
    assert list(added.objects) == [pin_key(OLD)], "the mark comes first"
    deliver(spool, sister, added, wanted=pinned_ones).run(deaf)
    assert added.objects == sister.objects
    assert in_spool(spool) == []
    listener = Listener()
    deliver(spool, sister, added, wanted=pinned_ones).run(listener)
    assert listener.of(Progressed) == []


def test_a_damaged_sister_is_not_copied(spool: Spool) -> None:
    sister, added = holding("sister", OLD), MemoryDestination("added")
    sister.objects[OLD] = sister.objects[OLD][:-1] + b"?"
    report = deliver(spool, sister, added).run(deaf)
    assert report.outcome is Outcome.FAILED
    assert "not what was kept" in report.copies[0].error
    assert (added.objects, list(spool.path.iterdir())) == ({}, [])


def test_another_sister_steps_in_for_a_damaged_one(spool: Spool) -> None:
    damaged, good = holding("damaged", OLD), holding("good", OLD)
    damaged.objects[OLD] = damaged.objects[OLD][:-1] + b"?"
    added = MemoryDestination("added")
    deliver(spool, damaged, good, added).run(deaf)
    assert added.objects == good.objects


def test_a_sister_whose_copy_is_cut_does_not_keep_a_whole_one_from_being_brought(
    spool: Spool,
) -> None:
    good, cut = holding("good", OLD), holding("cut", OLD)
    cut.objects[OLD] = cut.objects[OLD][:-10]
    for first, second in ((good, cut), (cut, good)):
        added = MemoryDestination("added")
        deliver(spool, first, second, added).run(deaf)
        assert added.objects == good.objects


@pytest.mark.parametrize("length", [0, 10])
def test_what_is_cut_and_has_no_checksum_is_not_brought(spool: Spool, length: int) -> None:
    cut, added = MemoryDestination("cut"), MemoryDestination("added")
    cut.objects[OLD] = zip_of_nothing()[:length]
    report = deliver(spool, cut, added).run(deaf)
    assert "cut short" in report.copies[0].error
    assert (added.objects, list(spool.path.iterdir())) == ({}, [])


def test_a_copy_with_a_checksum_is_brought_rather_than_one_without(spool: Spool) -> None:
    without, good = MemoryDestination("without"), holding("good", OLD)
    without.objects[OLD] = zip_of_nothing()
    deliver(spool, without, good, added := MemoryDestination("added")).run(deaf)
    assert added.objects == good.objects


def test_no_checksum_is_made_for_what_nobody_knows_to_be_as_it_was_built(spool: Spool) -> None:
    sister, added = MemoryDestination("sister"), MemoryDestination("added")
    sister.objects[OLD] = zip_of_nothing()
    deliver(spool, sister, FailingDestination(added, at=3, times=1)).run(deaf)
    assert in_spool(spool) == [OLD]
    assert deliver(spool, sister, added).run(deaf).outcome is Outcome.SUCCEEDED
    assert added.objects == {OLD: zip_of_nothing()}
    assert in_spool(spool) == []


def test_what_retention_would_not_keep_is_not_brought(spool: Spool) -> None:
    def only_middle(backups: Sequence[Backup]) -> set[str]:
        return {backup.key for backup in backups} & {MIDDLE}

    put(spool, NEW)
    sister, added = holding("sister", OLD, MIDDLE), MemoryDestination("added")
    deliver(spool, sister, added, fresh=NEW, wanted=only_middle).run(deaf)
    assert sorted(added.objects) == with_checksums(MIDDLE, NEW)


def test_an_archive_too_old_to_keep_does_not_wait_for_a_dead_destination(spool: Spool) -> None:
    def only_new(backups: Sequence[Backup]) -> set[str]:
        return {backup.key for backup in backups} & {NEW}

    put(spool, OLD, NEW)
    dead, alive = FailingDestination(MemoryDestination("dead")), holding("alive", OLD)
    deliver(spool, dead, alive, fresh=NEW, wanted=only_new).run(deaf)
    assert in_spool(spool) == [NEW]


def test_without_any_copy_the_spool_keeps_an_archive_whatever_its_age(spool: Spool) -> None:
    def nothing(backups: Sequence[Backup]) -> set[str]:
        return set()

    put(spool, OLD)
    deliver(spool, FailingDestination(MemoryDestination("dead")), wanted=nothing).run(deaf)
    assert in_spool(spool) == [OLD]


def test_what_is_delivered_to_one_only_waits_for_the_others(spool: Spool) -> None:
    put(spool, NEW)
    one = MemoryDestination("one")
    report = deliver(spool, one, awaited=["one", "two"], fresh=NEW).run(deaf)
    assert report.outcome is Outcome.SUCCEEDED
    assert in_spool(spool) == [NEW]


def test_a_destination_that_is_not_required_is_served_but_not_waited_for(spool: Spool) -> None:
    put(spool, NEW)
    dead, alive = FailingDestination(MemoryDestination("dead")), MemoryDestination("alive")
    delivering = Deliver(
        spool=spool,
        deliveries=[Delivery(destination=dead, required=False), Delivery(destination=alive)],
        clock=WoundClock(),
        awaited=["alive"],
        fresh=NEW,
    )
    assert delivering.run(deaf).outcome is Outcome.SUCCEEDED
    assert in_spool(spool) == []
    delivering.deliveries[0].destination.at = 10_000  # type: ignore[attr-defined]
    delivering.run(deaf)
    assert sorted(dead.inner.objects) == with_checksums(NEW)


def test_a_destination_that_is_down_is_not_asked_for_each_archive_anew(spool: Spool) -> None:
    put(spool, OLD, MIDDLE, NEW)
    dead = FailingDestination(MemoryDestination("dead"), at=2)
    listener = Listener()
    report = deliver(spool, dead, fresh=NEW).run(listener)
    assert dead.calls == 2
    assert [copy.succeeded for copy in report.copies] == [False] * 3
    assert report.outcome is Outcome.FAILED


def test_a_name_that_is_taken_holds_up_only_its_own_archive(spool: Spool) -> None:
    put(spool, OLD, NEW)
    one = MemoryDestination("one")
    one.objects[OLD] = b"something else"
    report = deliver(spool, one, fresh=NEW).run(deaf)
    assert {copy.key: copy.succeeded for copy in report.copies} == {OLD: False, NEW: True}
    assert one.objects[OLD] == b"something else"


def test_a_checksum_that_was_not_delivered_follows(spool: Spool) -> None:
    put(spool, NEW)
    one = MemoryDestination("one")
    deliver(spool, FailingDestination(one, at=3), fresh=NEW).run(deaf)
    assert list(one.objects) == [NEW]
    assert in_spool(spool) == [NEW]
    deliver(spool, one).run(deaf)
    assert sorted(one.objects) == with_checksums(NEW)
    assert in_spool(spool) == []


def test_a_copy_that_a_killed_run_has_made_is_told_of_unless_it_is_cut(spool: Spool) -> None:
    put(spool, OLD, NEW)
    one = holding("one", OLD, NEW)
    one.objects[OLD] = one.objects[OLD][:-1]
    listener = Listener()
    report = deliver(spool, one, awaited=["one", "two"]).run(listener)
    assert report.copies == ()
    (found,) = listener.of(CopyFound)
    assert (found.copy.destination, found.copy.key, found.copy.succeeded) == ("one", NEW, True)
    assert found.copy.stored is not None
    assert found.copy.stored.sha256 == hashlib.sha256(NEW.encode() * 100).hexdigest()


def test_a_copy_that_is_not_what_was_built_is_removed_and_failed(spool: Spool) -> None:
    class Careless(MemoryDestination):
        def store(self, key: str, path: Path, *, on_progress: Progress) -> StoredObject:
            other = spool.path / "other"
            other.write_bytes(path.read_bytes()[:-1])
            return super().store(key, other, on_progress=on_progress)

    put(spool, NEW)
    report = deliver(spool, careless := Careless("careless")).run(deaf)
    assert "not what was built" in report.copies[0].error
    assert careless.objects == {}


def test_foreign_files_are_neither_delivered_nor_fetched(spool: Spool) -> None:
    put(spool, "shop-eu-2025-11-08-01-00-00.zip", "notes.zip")
    sister = holding("sister", "shop-eu-2025-11-08-01-00-00.zip")
    deliver(spool, sister, added := MemoryDestination("added")).run(deaf)
    assert added.objects == {}
    assert len(list(spool.path.iterdir())) == 2


def test_dead_deliveries_are_swept_after_a_day(spool: Spool) -> None:
    asked: list[datetime] = []

    class Littered(MemoryDestination):
        def sweep(self, before: datetime) -> Sequence[str]:
            asked.append(before)
            return ["litter"]

    listener = Listener()
    deliver(spool, Littered("one")).run(listener)
    assert asked == [datetime(2025, 11, 7, 1, tzinfo=UTC)]
    assert listener.of(LeftoversSwept) == [LeftoversSwept(where="one", names=("litter",))]


def test_an_interruption_ends_the_deliveries_and_keeps_the_archive(spool: Spool) -> None:
    """The deliverer's own thread is interrupted while a destination moves bytes."""
    put(spool, NEW)
    ended = threading.Event()

    class Endless(MemoryDestination):
        def store(self, key: str, path: Path, *, on_progress: Progress) -> StoredObject:
            try:
                while True:
                    on_progress(1)
            finally:
                ended.set()

    def interrupt(event: object) -> None:
        if isinstance(event, CopyStarted):
            raise Interrupted("Ctrl-C")

    with pytest.raises(Interrupted):
        deliver(spool, Endless("endless")).run(interrupt)
    assert ended.wait(30)
    assert in_spool(spool) == [NEW]


def test_a_bug_in_one_destination_is_raised_after_the_others_have_their_copy(
    spool: Spool,
) -> None:
    class Buggy(MemoryDestination):
        def list(self, prefix: str) -> Iterator[StoredObject]:
            raise ZeroDivisionError

    put(spool, NEW)
    alive = MemoryDestination("alive")
    with pytest.raises(ZeroDivisionError):
        deliver(spool, Buggy("buggy"), alive).run(deaf)
    assert NEW in alive.objects
    assert in_spool(spool) == [NEW]


def test_nothing_in_the_spool_and_nothing_missing_is_a_success(spool: Spool) -> None:
    assert deliver(spool, MemoryDestination("one")).run(deaf).outcome is Outcome.SUCCEEDED


def test_a_destination_that_cannot_be_listed_while_nothing_waits_is_no_failure(
    spool: Spool,
) -> None:
    class Unlisted(MemoryDestination):
        def list(self, prefix: str) -> Iterator[StoredObject]:
            raise DestinationError("down")

    assert deliver(spool, Unlisted("one")).run(deaf).outcome is Outcome.SUCCEEDED
