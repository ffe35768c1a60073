"""Take a backup."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pyzipper

from backupd.archive.manifest import parse_manifest
from backupd.errors import ArchiveError, DumpError, RefusedError, SourceError
from backupd.events import ArchiveBuilt, ArchiveStarted, CopyEnded, LeftoversSwept, Progressed
from backupd.model import Member, MemberKind, Omission, OmissionReason, Outcome, Scope
from backupd.operations.backup import TakeBackup
from backupd.operations.deliver import Deliver, Delivery
from backupd.sources.files import FileTree
from backupd.spool import Spool
from fakes.clock import WoundClock
from fakes.destinations import FailingDestination, MemoryDestination
from fakes.listening import Listener, deaf

NAME = "shop-2025-11-08-01-00-00.zip"


@dataclass(frozen=True)
class Given:
    """A source of what a test gives it."""

    items: Sequence[Member | Omission]
    name: str = "given"

    def members(self) -> Iterator[Member | Omission]:
        yield from self.items


@dataclass(frozen=True)
class FailingDump:
    """A dump whose program fails after 3 MB."""

    name: str = "main"

    def members(self) -> Iterator[Member]:
        def stream() -> Iterator[bytes]:
            for _ in range(3):
                yield os.urandom(1_000_000)
            raise DumpError("The dump program failed.", exit_status=3, stderr="no space")

        yield Member(path="db-dumps/x", kind=MemberKind.DUMP, mtime_ns=0, mode=0o600, stream=stream)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "application"
    path.mkdir()
    (path / "a").write_text("content of a")
    (path / "b").write_text("content of b")
    return path


@pytest.fixture
def memory() -> MemoryDestination:
    return MemoryDestination()


def delivering(tmp_path: Path, *deliveries: Delivery) -> Deliver:
    return Deliver(
        spool=Spool(path=tmp_path / "spool", set_name="shop", zone=ZoneInfo("UTC")),
        deliveries=deliveries,
        clock=WoundClock(),
        awaited=[each.destination.name for each in deliveries if each.required],
    )


@pytest.fixture
def backup(root: Path, tmp_path: Path, memory: MemoryDestination) -> TakeBackup:
    return TakeBackup(
        set_name="shop",
        root=root,
        zone=ZoneInfo("UTC"),
        clock=WoundClock(),
        files=FileTree(root=root),
        databases=(),
        delivering=delivering(tmp_path, Delivery(destination=memory)),
    )


def left_in_spool(backup: TakeBackup) -> list[str]:
    return sorted(os.listdir(backup.spool)) if backup.spool.exists() else []


def test_the_destination_gets_the_archive_and_its_checksum(
    backup: TakeBackup, memory: MemoryDestination
) -> None:
    report = backup.run(deaf)
    assert report.outcome is Outcome.SUCCEEDED
    assert sorted(memory.objects) == [NAME, f"{NAME}.sha256"]
    digest = hashlib.sha256(memory.objects[NAME]).hexdigest()
    assert memory.objects[f"{NAME}.sha256"] == f"{digest}  {NAME}\n".encode()
    assert report.archive.sha256 == digest
    assert report.archive.members == 2


def test_the_spool_is_empty_when_every_destination_has_its_copy(backup: TakeBackup) -> None:
    backup.run(deaf)
    assert left_in_spool(backup) == []


def test_the_manifest_names_every_member_with_its_digest(
    backup: TakeBackup, memory: MemoryDestination, tmp_path: Path
) -> None:
    backup.run(deaf)
    (tmp_path / "a.zip").write_bytes(memory.objects[NAME])
    with pyzipper.AESZipFile(tmp_path / "a.zip") as archive:
        manifest = parse_manifest(archive.read(".backupd/manifest.json").splitlines())
    assert {entry.path: entry.sha256 for entry in manifest.entries} == {
        name: hashlib.sha256(f"content of {name}".encode()).hexdigest() for name in "ab"
    }
    assert manifest.header.created_at == datetime(2025, 11, 8, 1, tzinfo=UTC)
    assert manifest.header.scope is Scope.FULL


def test_a_failed_dump_leaves_no_archive(backup: TakeBackup, memory: MemoryDestination) -> None:
    with pytest.raises(DumpError, match="The dump program failed"):
        replace(backup, databases=[("main", lambda _when, _scratch: FailingDump())]).run(deaf)
    assert memory.objects == {}
    assert left_in_spool(backup) == []


def test_a_name_that_is_taken_gets_a_number(backup: TakeBackup, memory: MemoryDestination) -> None:
    backup.run(deaf)
    first = memory.objects[NAME]
    assert backup.run(deaf).archive.name == "shop-2025-11-08-01-00-00-2.zip"
    assert memory.objects[NAME] == first


def test_a_dead_destination_does_not_hurt_the_other(
    backup: TakeBackup, memory: MemoryDestination, tmp_path: Path
) -> None:
    dead = FailingDestination(MemoryDestination("offsite"))
    both = delivering(tmp_path, Delivery(destination=dead), Delivery(destination=memory))
    listener = Listener()
    report = replace(backup, delivering=both).run(listener)
    assert report.outcome is Outcome.PARTIAL
    assert NAME in memory.objects
    ended = {event.copy.destination: event.copy.succeeded for event in listener.of(CopyEnded)}
    assert ended == {"offsite": False, "memory": True}
    assert left_in_spool(backup) == [NAME, f"{NAME}.spooled"]


def test_a_destination_that_is_not_required_makes_nothing_partial(
    backup: TakeBackup, memory: MemoryDestination, tmp_path: Path
) -> None:
    dead = FailingDestination(MemoryDestination("offsite"))
    both = delivering(
        tmp_path, Delivery(destination=dead, required=False), Delivery(destination=memory)
    )
    assert replace(backup, delivering=both).run(deaf).outcome is Outcome.SUCCEEDED


def test_no_copy_at_all_is_a_failure(backup: TakeBackup, tmp_path: Path) -> None:
    dead = Delivery(destination=FailingDestination(MemoryDestination()), required=False)
    alone = delivering(tmp_path, dead)
    assert replace(backup, delivering=alone).run(deaf).outcome is Outcome.FAILED


def test_what_a_dead_destination_missed_is_brought_later_without_a_new_dump(
    backup: TakeBackup, memory: MemoryDestination, tmp_path: Path
) -> None:
    """The dump says how often it was made; each archive holds the one of its own run."""
    dumps = 0

    @dataclass(frozen=True)
    class CountedDump:
        name: str = "main"

        def members(self) -> Iterator[Member]:
            nonlocal dumps
            dumps += 1
            text = str(dumps).encode()
            yield Member(
                path="db-dumps/x",
                kind=MemberKind.DUMP,
                mtime_ns=0,
                mode=0o600,
                stream=lambda: iter([text]),
            )

    offsite, clock = MemoryDestination("offsite"), WoundClock()
    counted = replace(backup, clock=clock, databases=[("main", lambda _w, _s: CountedDump())])
    for destination in (FailingDestination(offsite), FailingDestination(offsite), offsite):
        both = delivering(tmp_path, Delivery(destination=destination), Delivery(destination=memory))
        report = replace(counted, delivering=both).run(deaf)
        clock.wind(days=1)
    assert dumps == 3
    assert report.outcome is Outcome.SUCCEEDED
    assert len(report.late) == 2
    assert offsite.objects == memory.objects
    assert left_in_spool(backup) == []


def test_what_is_left_out_makes_it_partial_unless_it_is_harmless(backup: TakeBackup) -> None:
    given = Member(path="d", kind=MemberKind.DIRECTORY, mtime_ns=0, mode=0o755)
    lost = Omission(path="x", reason=OmissionReason.UNREADABLE)
    harmless = replace(lost, harmless=True)
    partial = replace(backup, files=Given([given, lost])).run(deaf)
    whole = replace(backup, files=Given([given, harmless])).run(deaf)
    assert (partial.outcome, whole.outcome) == (Outcome.PARTIAL, Outcome.SUCCEEDED)


def test_a_file_that_vanishes_is_counted_and_not_fatal(backup: TakeBackup, root: Path) -> None:
    class Vanishing:
        name = "files"

        def members(self) -> Iterator[Member | Omission]:
            yield from list(FileTree(root=root).members())
            (root / "a").unlink()

    report = replace(backup, files=Vanishing()).run(deaf)
    assert report.outcome is Outcome.SUCCEEDED
    assert [(each.path, each.reason) for each in report.archive.omissions] == [
        ("a", OmissionReason.VANISHED)
    ]


def test_a_file_that_changes_before_it_is_read_is_taken_as_it_is_then(
    backup: TakeBackup, root: Path, memory: MemoryDestination, tmp_path: Path
) -> None:
    """Only one that changes while it is read is marked (see tests/archive/test_writer.py)."""

    class Changing:
        name = "files"

        def members(self) -> Iterator[Member | Omission]:
            yield from list(FileTree(root=root).members())
            (root / "a").write_text("something else")

    report = replace(backup, files=Changing()).run(deaf)
    assert report.archive.changed_while_read == ()
    assert report.outcome is Outcome.SUCCEEDED
    (tmp_path / "a.zip").write_bytes(memory.objects[NAME])
    with pyzipper.AESZipFile(tmp_path / "a.zip") as archive:
        assert archive.read("a") == b"something else"


def test_a_file_named_as_ours_is_kept_beside_ours(
    backup: TakeBackup, root: Path, memory: MemoryDestination, tmp_path: Path
) -> None:
    (root / "RESTORE.txt").write_text("theirs")
    assert backup.run(deaf).outcome is Outcome.SUCCEEDED
    (tmp_path / "a.zip").write_bytes(memory.objects[NAME])
    with pyzipper.AESZipFile(tmp_path / "a.zip") as archive:
        assert archive.read("RESTORE.txt") == b"theirs"
        assert b"You do not need backupd" in archive.read("RESTORE.backupd.txt")


def test_leftovers_of_a_dead_run_are_swept(backup: TakeBackup) -> None:
    backup.spool.mkdir()
    (backup.spool / "shop-2025-11-07-01-00-00.zip.partial").touch()
    listener = Listener()
    backup.run(listener)
    assert left_in_spool(backup) == []
    assert listener.of(LeftoversSwept)[0].names == ("shop-2025-11-07-01-00-00.zip.partial",)


def test_the_spool_takes_away_nothing_that_is_not_this_sets(backup: TakeBackup) -> None:
    other = "shop-eu-2025-11-07-01-00-00.zip"
    theirs = [
        ".shop-eu.previous",
        ".shop-eu.previous.partial",
        f"{other}.partial",
        f"{other}.spooled",
        f"{other}.spooled.partial",
        "download.partial",
        "notes.spooled",
        "previous",
        "previous.partial",
    ]
    backup.spool.mkdir()
    for name in theirs:
        (backup.spool / name).touch()
    for name in ("scratch", ".shop-eu.scratch", "shop-2025-11-07-01-00-00.zip.partial"):
        (backup.spool / name).mkdir()
        (backup.spool / name / "draft").touch()
    before = left_in_spool(backup)
    assert replace(backup, keeps_last=True).run(deaf).outcome is Outcome.SUCCEEDED
    assert left_in_spool(backup) == sorted([*before, ".shop.previous"])
    assert (backup.spool / "scratch" / "draft").exists()


def test_what_a_dead_run_had_begun_of_this_set_is_swept(backup: TakeBackup) -> None:
    name = "shop-2025-11-07-01-00-00.zip"
    backup.spool.mkdir()
    beside = f".{name}.sha256.0badf00d.partial"
    for left in (f"{name}.partial", f"{name}.spooled", f"{name}.spooled.partial", beside):
        (backup.spool / left).touch()
    (backup.spool / ".shop.previous.partial").touch()
    (backup.spool / ".shop.scratch").mkdir()
    (backup.spool / ".shop.scratch" / "main.sqlite").touch()
    backup.run(deaf)
    assert left_in_spool(backup) == []


def test_what_all_members_are_together_is_said_once(backup: TakeBackup) -> None:
    listener = Listener()
    report = backup.run(listener)
    (started,) = listener.of(ArchiveStarted)
    assert (started.members, started.content_bytes) == (
        report.archive.members,
        report.archive.content_bytes,
    )
    kinds = [type(event) for event in listener.events]
    assert kinds.index(ArchiveStarted) < kinds.index(ArchiveBuilt)
    totals = {event.total for event in listener.of(Progressed) if event.phase == "zipping"}
    assert totals <= {0, started.content_bytes}


def test_ctrl_c_while_zipping_leaves_nothing(backup: TakeBackup, memory: MemoryDestination) -> None:
    def interrupt(event: object) -> None:
        if isinstance(event, Progressed) and event.phase == "zipping":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup.run(interrupt)
    assert left_in_spool(backup) == []
    assert memory.objects == {}


def test_a_spool_without_room_for_the_last_archive_is_refused(backup: TakeBackup) -> None:
    with pytest.raises(ArchiveError, match="bytes free"):
        replace(backup, bytes_expected=10**18).run(deaf)


def test_a_source_that_cannot_be_read_at_all_is_an_error(
    backup: TakeBackup, root: Path, memory: MemoryDestination
) -> None:
    with pytest.raises(SourceError):
        replace(backup, files=FileTree(root=root, include=("missing",))).run(deaf)
    assert memory.objects == {}


def test_the_archive_is_private_while_it_is_in_the_spool(backup: TakeBackup) -> None:
    modes = []

    def look(event: object) -> None:
        if isinstance(event, ArchiveBuilt):
            modes.append(event.archive.path.stat().st_mode & 0o777)
            modes.append(event.archive.path.parent.stat().st_mode & 0o777)

    backup.run(look)
    assert modes == [0o600, 0o700]


def test_a_restore_of_which_nobody_knows_how_far_it_came_is_run_again_before(
    backup: TakeBackup, root: Path
) -> None:
    left = root / ".backupd-restore-2025-11-08-01-00-00"
    left.mkdir()
    (left / "journal.json").write_text("{")
    with pytest.raises(RefusedError, match="half restored") as refused:
        backup.run(deaf)
    assert "backupd restore --in-place" in refused.value.hint
