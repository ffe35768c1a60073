"""A SQLite database as a dump."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backupd.errors import DumpError
from backupd.model import Member, MemberKind
from backupd.sources.sqlite import SqliteDatabase

WHEN = datetime(2025, 11, 8, 1, 0, 0, tzinfo=UTC)
WRITER = """
import itertools, os, sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
database.execute("PRAGMA synchronous = OFF")
print("writing", flush=True)
for number in itertools.count():
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO credit (amount) VALUES (?)", (number,))
    database.execute("INSERT INTO debit (amount) VALUES (?)", (number,))
    database.execute("COMMIT")
    time.sleep(0.002 if len(sys.argv) == 2 else 0.01)
    if os.getppid() == 1:
        break
"""


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    path = tmp_path / "scratch"
    path.mkdir()
    return path


def make_database(path: Path, *, journal: str = "WAL", rows: int = 20_000) -> Path:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"PRAGMA journal_mode = {journal}")
        database.execute("CREATE TABLE credit (id INTEGER PRIMARY KEY, amount INTEGER)")
        database.execute("CREATE TABLE debit (id INTEGER PRIMARY KEY, amount INTEGER)")
        database.execute('CREATE TABLE "odd "" name" (x)')
        for table in ("credit", "debit"):
            values = ((number,) for number in range(rows))
            database.executemany(f"INSERT INTO {table} (amount) VALUES (?)", values)  # noqa: S608
    return path


def source(path: Path, scratch: Path, *, lock_timeout: float = 60.0) -> SqliteDatabase:
    return SqliteDatabase(
        name="main", path=path, scratch=scratch, when=WHEN, zone=UTC, lock_timeout=lock_timeout
    )


def dump(path: Path, scratch: Path) -> Member:
    """Read a dump to its end, into a file of its own; return what is known of it then."""
    [member] = source(path, scratch).members()
    return read(member, scratch.with_name("dump.sqlite"))


def read(member: Member, target: Path) -> Member:
    assert member.stream is not None
    assert member.facts is not None
    target.write_bytes(b"".join(member.stream()))
    return member._replace(origin=str(target), database=member.facts())


@contextmanager
def busy_writer(path: Path, *more: str) -> Iterator[None]:
    """Write about 500 transactions a second from another process."""
    command = [sys.executable, "-c", WRITER, str(path), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        try:
            yield
        finally:
            writer.kill()


def rows(path: str | Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as database:
        row: tuple[int] = database.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
        return row[0]


def test_the_dump_is_a_database_with_the_same_rows(tmp_path: Path, scratch: Path) -> None:
    member = dump(make_database(tmp_path / "main.sqlite"), scratch)
    assert member.path == "db-dumps/sqlite-main-2025-11-08-01-00-00.sqlite"
    assert member.kind is MemberKind.DUMP
    assert member.size == os.stat(member.origin).st_size  # noqa: PTH116
    assert rows(member.origin, "credit") == 20_000
    assert member.database is not None
    assert member.database.tables == {"credit": 20_000, "debit": 20_000, 'odd " name': 0}


@pytest.mark.parametrize(("journal", "more"), [("WAL", ()), ("DELETE", ("slowly",))])
def test_a_busy_writer_neither_spoils_nor_stops_the_dump(
    tmp_path: Path, scratch: Path, journal: str, more: tuple[str, ...]
) -> None:
    path = make_database(tmp_path / "main.sqlite", journal=journal)
    with busy_writer(path, *more):
        for _ in range(5):
            member = dump(path, scratch)
            with closing(sqlite3.connect(member.origin)) as copy:
                assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert rows(member.origin, "credit") == rows(member.origin, "debit")
    assert rows(path, "credit") > 20_000


def test_what_stands_in_the_wal_is_in_the_dump(tmp_path: Path, scratch: Path) -> None:
    path = make_database(tmp_path / "main.sqlite", rows=10)
    with closing(sqlite3.connect(path, isolation_level=None)) as application:
        application.execute("PRAGMA wal_autocheckpoint = 0")
        application.execute("INSERT INTO credit (amount) VALUES (1)")
        assert (tmp_path / "main.sqlite-wal").stat().st_size > 0
        assert rows(dump(path, scratch).origin, "credit") == 11


def test_a_missing_database_is_an_error_and_is_not_made(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(DumpError, match="cannot be found"):
        dump(tmp_path / "missing.sqlite", scratch)
    assert os.listdir(tmp_path) == ["scratch"]


def test_a_directory_is_no_database(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(DumpError, match="is not a file"):
        dump(tmp_path, scratch)


def test_a_locked_database_is_said_to_be_locked(tmp_path: Path, scratch: Path) -> None:
    path = make_database(tmp_path / "main.sqlite", journal="DELETE", rows=10)
    with closing(sqlite3.connect(path, isolation_level=None)) as application:
        application.execute("BEGIN EXCLUSIVE")
        [member] = source(path, scratch, lock_timeout=0.05).members()
        with pytest.raises(DumpError, match="locked") as raised:
            read(member, tmp_path / "dump.sqlite")
    assert "TIMEOUT" in raised.value.hint


@pytest.mark.parametrize("position", [0, 30_000])
def test_a_corrupt_database_is_said_to_be_damaged(
    tmp_path: Path, scratch: Path, position: int
) -> None:
    path = make_database(tmp_path / "main.sqlite", journal="DELETE")
    with path.open("r+b") as file:
        file.seek(position)
        file.write(os.urandom(20_000))
    with pytest.raises(DumpError, match="cannot be copied whole") as raised:
        dump(path, scratch)
    assert "integrity_check" in raised.value.hint


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "main.sqlite").write_text("not a database, but long enough to look at" * 100)
    with pytest.raises(DumpError):
        dump(tmp_path / "main.sqlite", scratch)


def test_a_path_with_odd_characters_is_opened(tmp_path: Path, scratch: Path) -> None:
    path = make_database(tmp_path / "what? 100% #1.sqlite", rows=1)
    assert rows(dump(path, scratch).origin, "credit") == 1
