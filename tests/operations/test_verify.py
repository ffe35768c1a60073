"""Reading backups back."""

import hashlib
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from backupd.archive.check import Check, checkers
from backupd.archive.unsealed import UnsealedView
from backupd.archive.view import ObjectView
from backupd.catalog import Catalog
from backupd.errors import ObjectNotFoundError
from backupd.events import BackupProved, Event, Progressed
from backupd.model import Outcome
from backupd.naming import checksum_key
from backupd.operations.retrieve import Reading
from backupd.operations.verify import Verify
from backupd.ports import Destination
from fakes.archives import KEY, ONE_WORKER, CountingDestination, archive_of, odd_tree
from fakes.clock import WoundClock
from fakes.destinations import FailingDestination, MemoryDestination
from fakes.listening import Listener
from fakes.processes import children


def verifying(
    *destinations: Destination,
    password: str | None = None,
    percent: int = 100,
    backup: str = "latest",
    large_bytes: int = 10**9,
) -> Verify:
    return Verify(
        catalogs=tuple(
            Catalog(destination=each, set_name="shop", zone=UTC) for each in destinations
        ),
        reading=Reading(password=password, zone=UTC),
        clock=WoundClock(),
        percent=percent,
        backup=backup,
        large_bytes=large_bytes,
    )


def memory(folder: Path, name: str = "memory") -> MemoryDestination:
    destination = MemoryDestination(name)
    destination.objects = {path.name: path.read_bytes() for path in folder.iterdir()}
    return destination


@pytest.fixture(params=[None, "secret"])
def password(request: pytest.FixtureRequest) -> str | None:
    assert request.param is None or isinstance(request.param, str)
    return request.param


@pytest.fixture(params=[0, 10**9], ids=["workers", "threads"])
def large_bytes(request: pytest.FixtureRequest) -> int:
    assert isinstance(request.param, int)
    return request.param


@pytest.fixture
def kept(tmp_path: Path, password: str | None) -> MemoryDestination:
    archive_of(odd_tree(tmp_path / "tree"), tmp_path / "kept", password=password)
    return memory(tmp_path / "kept")


def test_a_good_backup_is_read_once_and_whole(
    kept: MemoryDestination, password: str | None, large_bytes: int
) -> None:
    counting, listener = CountingDestination(kept), Listener()
    report = verifying(counting, password=password, large_bytes=large_bytes).run(listener)
    (proof,) = report.proofs
    assert report.outcome is Outcome.SUCCEEDED
    assert proof.content_bytes > 14_000_000
    assert len(kept.objects[KEY]) <= counting.bytes < len(kept.objects[KEY]) + 300_000
    assert [event.proof for event in listener.of(BackupProved)] == [proof]


def test_a_checksum_file_that_holds_none_is_a_flaw(
    kept: MemoryDestination, password: str | None
) -> None:
    kept.objects[checksum_key(KEY)] = b""
    (proof,) = verifying(kept, password=password).run(lambda _: None).proofs
    assert [flaw.what.endswith("; nothing was noted") for flaw in proof.flaws] == [True]


def test_each_damaged_member_is_named(
    kept: MemoryDestination, password: str | None, large_bytes: int
) -> None:
    archive = Reading(password=password, zone=UTC).open(_view(kept))
    damaged = bytearray(kept.objects[KEY])
    named = {"big.bin", "app/d3/f10.php", "app/d3/f3.php"}
    for member in archive.members:
        if member.entry.path in named:
            record = member.record
            damaged[record.end - record.compressed_size // 2] ^= 0x10
    kept.objects[KEY] = bytes(damaged)
    report = verifying(kept, password=password, large_bytes=large_bytes).run(lambda _: None)
    assert report.outcome is Outcome.FAILED
    assert {flaw.path for flaw in report.proofs[0].flaws} == named
    why = {
        "its SHA-256 is not the one in the manifest",
        "its CRC-32 is another one",
        "its compressed bytes make no sense",
        "its compressed bytes end too early",
        "its authentication code does not match",
    }
    assert {flaw.what for flaw in report.proofs[0].flaws} <= why


def _view(kept: MemoryDestination) -> ObjectView:
    return ObjectView(destination=kept, key=KEY, size=len(kept.objects[KEY]))


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(5):
        (tree / str(number)).write_text("text " * number * 100)
    archive_of(tree, tmp_path / "kept")
    kept = memory(tmp_path / "kept")
    whole, chance = kept.objects[KEY], random.Random(3)  # noqa: S311
    for _ in range(500):
        flipped = bytearray(whole)
        flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        kept.objects[KEY] = bytes(flipped)
        assert verifying(kept).run(lambda _: None).outcome is Outcome.FAILED


@pytest.mark.parametrize("password", [None, "secret"])
def test_workers_name_each_member_of_which_any_bit_is_flipped(
    tmp_path: Path, password: str | None
) -> None:
    tree, chance = tmp_path / "tree", random.Random(4)  # noqa: S311  (the same every time)
    tree.mkdir()
    for number in range(1, 6):  # in a deflate stream there are bits that say nothing
        (tree / str(number)).write_bytes(chance.randbytes(number * 300))
    archive_of(tree, tmp_path / "kept", password=password)
    kept = memory(tmp_path / "kept")
    whole = kept.objects[KEY]
    archive = Reading(password=password, zone=UTC).open(_view(kept))
    with checkers(2, password) as workers:
        for _ in range(200):
            entry, record = chance.choice(archive.members)
            damaged = bytearray(whole)
            place = record.end - 1 - chance.randrange(record.compressed_size)
            damaged[place] ^= 1 << chance.randrange(8)
            kept.objects[KEY] = bytes(damaged)
            check = Check(archive=archive, threads=1, on_progress=lambda _: None)
            check.everything(workers)
            assert [flaw.path for flaw in check.flaws] == [entry.path]
            assert check.members == 5 + 2 - 1  # RESTORE.txt and the manifest are two
        kept.objects[KEY] = whole
        check = Check(archive=archive, threads=1, on_progress=lambda _: None)
        assert check.everything(workers) == hashlib.sha256(whole).hexdigest()
        assert not check.flaws
        assert check.members == 5 + 2


def test_a_member_is_named_though_the_archive_as_a_whole_is_damaged_too(
    tmp_path: Path, large_bytes: int
) -> None:
    tree = odd_tree(tmp_path / "tree")
    archive_of(
        tree, tmp_path / "kept", password="secret", making=replace(ONE_WORKER, hide_names=True)
    )
    kept = memory(tmp_path / "kept")
    archive = Reading(password="secret", zone=UTC).open(_view(kept))
    named = [archive.members[number].entry.path for number in (5, -1)]
    assert isinstance(archive.view, UnsealedView)
    assert archive.view.where == "memory"
    damaged = bytearray(kept.objects[KEY])
    for number in (5, -1):
        record = archive.members[number].record
        damaged[archive.view.start + record.end - record.compressed_size // 2] ^= 0x10
    kept.objects[KEY] = bytes(damaged)
    verify = verifying(kept, password="secret", large_bytes=large_bytes)
    (proof,) = verify.run(lambda _: None).proofs
    *members, last = proof.flaws
    assert {flaw.path for flaw in members} == set(named)
    assert last.what.startswith("The archive with hidden names is damaged")
    assert proof.members == len(archive.members) + 2 - len(named)


def test_a_killed_worker_is_an_error_and_no_damage(kept: MemoryDestination) -> None:
    before = children()

    class Killing(CountingDestination):
        def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
            for chunk in super().read(key, start, length):
                for worker in children() - before:
                    os.kill(worker, signal.SIGKILL)
                yield chunk

    (proof,) = verifying(Killing(kept), password="secret", large_bytes=0).run(lambda _: None).proofs
    assert "was killed by signal 9" in proof.error
    assert not proof.flaws
    assert children() == before


def test_an_interruption_leaves_no_worker_behind(kept: MemoryDestination) -> None:
    before = children()

    def interrupt(event: Event) -> None:
        if isinstance(event, Progressed) and event.done > 2_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verifying(kept, password="secret", large_bytes=0).run(interrupt)
    assert children() == before


def test_a_part_of_it_costs_a_part_of_its_bytes(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(20):
        (tree / str(number)).write_bytes(os.urandom(1_000_000))
    archive_of(tree, tmp_path / "kept")
    counting = CountingDestination(memory(tmp_path / "kept"))
    report = verifying(counting, percent=30).run(lambda _: None)
    assert report.outcome is Outcome.SUCCEEDED
    assert report.proofs[0].percent == 30
    assert 6_000_000 <= counting.bytes <= 11_000_000


def test_a_destination_that_is_down_is_not_called_damaged(
    kept: MemoryDestination, password: str | None
) -> None:
    down = FailingDestination(MemoryDestination("down"))
    report = verifying(down, kept, password=password).run(lambda _: None)
    assert report.outcome is Outcome.FAILED
    first, second = report.proofs
    assert "down" in first.error
    assert not first.flaws
    assert second.succeeded


def test_a_destination_that_fails_half_way_is_not_called_damaged(
    kept: MemoryDestination, password: str | None, large_bytes: int
) -> None:
    for at in range(2, 6):
        failing = FailingDestination(kept, at=at)
        verify = verifying(failing, password=password, large_bytes=large_bytes)
        (proof,) = verify.run(lambda _: None).proofs
        assert proof.error
        assert not proof.flaws


def test_a_wrong_password_is_not_called_damage(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_text("a")
    archive_of(tree, tmp_path / "kept", password="right")
    (proof,) = verifying(memory(tmp_path / "kept"), password="wrong").run(lambda _: None).proofs
    assert "another password" in proof.error
    assert not proof.flaws


def test_a_name_that_nobody_has_is_an_error(kept: MemoryDestination) -> None:
    with pytest.raises(ObjectNotFoundError):
        verifying(kept, backup="shop-2001-01-01-00-00-00.zip").run(lambda _: None)
