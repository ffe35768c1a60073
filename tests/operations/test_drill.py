"""Restore tests of the newest backups."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC
from pathlib import Path

import pytest

from backupd.archive.reader import open_archive
from backupd.archive.view import ObjectView
from backupd.catalog import Catalog
from backupd.events import BackupProved, Event
from backupd.model import DatabaseFacts, Member, MemberKind, Outcome, Scope
from backupd.naming import scope_key
from backupd.operations.drill import Drill
from backupd.operations.retrieve import Reading
from backupd.ports import Destination
from backupd.reports import ProofReport
from fakes.archives import KEY, archive_of, odd_tree
from fakes.clock import WoundClock
from fakes.destinations import FailingDestination, MemoryDestination
from fakes.listening import Listener, deaf

DUMP = "db-dumps/sqlite-main-2025-11-08-01-00-00.sqlite"


def database(path: Path, rows: int) -> Path:
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("CREATE TABLE users (name TEXT)")
        made.executemany("INSERT INTO users VALUES (?)", [(str(row),) for row in range(rows)])
    return path


def dump(path: Path, rows: int) -> Member:
    return Member(
        path=DUMP,
        kind=MemberKind.DUMP,
        size=path.stat().st_size,
        mtime_ns=0,
        mode=0o600,
        origin=str(path),
        database=DatabaseFacts(name="main", kind="sqlite", tables={"users": rows}),
    )


def kept(folder: Path, member: Member, name: str = "offsite") -> MemoryDestination:
    tree = odd_tree(folder / "tree")
    archive_of(tree, folder / "kept", password="secret", members=(member,))
    destination = MemoryDestination(name)
    destination.objects = {path.name: path.read_bytes() for path in (folder / "kept").iterdir()}
    return destination


def drilled(
    scratch: Path, *destinations: Destination, listen: Callable[[Event], None] = deaf
) -> ProofReport:
    return Drill(
        catalogs=tuple(
            Catalog(destination=each, set_name="shop", zone=UTC) for each in destinations
        ),
        reading=Reading(password="secret", zone=UTC),
        clock=WoundClock(),
        scratch=scratch / ".shop.drill",
    ).run(listen)


def test_a_good_backup_is_restored_opened_and_cleaned_up(tmp_path: Path) -> None:
    destination = kept(tmp_path, dump(database(tmp_path / "d", 7), 7))
    listener = Listener()
    report = drilled(tmp_path / "spool", destination, listen=listener)
    (proof,) = report.proofs
    assert report.outcome is Outcome.SUCCEEDED
    assert proof.databases == ("main",)
    assert proof.content_bytes > 14_000_000
    assert proof.seconds > 0
    assert list((tmp_path / "spool").iterdir()) == []
    assert [event.operation for event in listener.of(BackupProved)] == ["drill"]


@pytest.mark.parametrize("rows", [6, 8])
def test_a_table_that_lacks_a_row_fails(tmp_path: Path, rows: int) -> None:
    destination = kept(tmp_path, dump(database(tmp_path / "d", 7), rows))
    (proof,) = drilled(tmp_path / "spool", destination).proofs
    assert proof.flaws[0].path == DUMP
    assert f"has 7 rows; the manifest says {rows}" in proof.flaws[0].what


def test_a_dump_that_is_no_database_fails(tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(b"SQLite format 3\0" + bytes(5000))
    destination = kept(tmp_path, dump(tmp_path / "d", 0))
    (proof,) = drilled(tmp_path / "spool", destination).proofs
    assert [flaw.path for flaw in proof.flaws] == [DUMP]


def test_one_flipped_byte_fails_and_names_the_member(tmp_path: Path) -> None:
    destination = kept(tmp_path, dump(database(tmp_path / "d", 7), 7))
    content = bytearray(destination.objects[KEY])
    view = ObjectView(destination=destination, key=KEY, size=len(content))
    archive = open_archive(view, password="secret", zone=UTC)
    (record,) = [each.record for each in archive.members if each.entry.path == "big.bin"]
    content[record.end - 5000] ^= 1
    destination.objects[KEY] = bytes(content)
    report = drilled(tmp_path / "spool", destination)
    assert report.outcome is Outcome.FAILED
    assert [flaw.path for flaw in report.proofs[0].flaws] == ["big.bin"]
    assert list((tmp_path / "spool").iterdir()) == []


def test_each_destination_is_proved_on_its_own(tmp_path: Path) -> None:
    good = kept(tmp_path, dump(database(tmp_path / "d", 7), 7), "near")
    down = FailingDestination(MemoryDestination("down"))
    halfway = FailingDestination(good, at=4)
    cut = MemoryDestination("cut")
    cut.objects = {KEY: good.objects[KEY][:-1000]}
    report = drilled(tmp_path / "spool", down, halfway, cut, good)
    first, second, third, fourth = report.proofs
    assert first.error
    assert second.error
    assert third.flaws
    assert not third.error
    assert fourth.succeeded


def test_what_a_killed_drill_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "spool/.shop.drill/closed"
    left.mkdir(parents=True)
    (left / "file").write_text("x")
    left.chmod(0o500)
    drilled(tmp_path / "spool", kept(tmp_path, dump(database(tmp_path / "d", 7), 7)))
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_drill_removes_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "spool/drill-holes.pdf").mkdir(parents=True)
    drilled(tmp_path / "spool", kept(tmp_path, dump(database(tmp_path / "d", 7), 7)))
    assert (tmp_path / "spool/drill-holes.pdf").exists()


def test_the_newest_full_backup_is_proved_whatever_was_taken_since(tmp_path: Path) -> None:
    destination = kept(tmp_path, dump(database(tmp_path / "d", 7), 7))
    newer = "shop-2025-11-09-01-00-00.zip"
    destination.objects |= {newer: b"dumps", scope_key(newer, Scope.ONLY_DB): b""}
    (proof,) = drilled(tmp_path / "spool", destination).proofs
    assert proof.key == KEY
