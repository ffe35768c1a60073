"""A SQLite database behind a symbolic link, as deployment programs leave it: `shared/` holds it."""

import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from conftest import Program

TARGET = "../shared/main.sqlite"


@pytest.fixture
def link(program: Program) -> Path:
    """Give the link that the settings name, to a database in WAL mode."""
    for name in ("current", "shared"):
        (program.root / name).mkdir()
    link = program.root / "current" / "main.sqlite"
    link.symlink_to(TARGET)
    program.set(DATABASES__MAIN__URL="sqlite:///current/main.sqlite")
    return link


@pytest.fixture
def writer(link: Path) -> Iterator[sqlite3.Connection]:
    """Give the application's connection, whose last rows stand in the write-ahead log only."""
    with closing(sqlite3.connect(link, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA wal_autocheckpoint = 0")
        database.execute("CREATE TABLE orders (price)")
        database.executemany("INSERT INTO orders VALUES (?)", [(1,), (2,)])
        yield database


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        (count,) = database.execute("SELECT count(*) FROM orders").fetchone()
        return int(count)


def test_only_the_dump_and_the_link_are_taken(program: Program, writer: sqlite3.Connection) -> None:
    writer.execute("INSERT INTO orders VALUES (3)")
    assert program("run").code == 0
    (archive,) = program.backups.glob("*.zip")
    with zipfile.ZipFile(archive) as opened:
        found = [name for name in opened.namelist() if "main" in name]
    assert [name.partition("-main-")[0] for name in found] == [
        "db-dumps/sqlite",
        "current/main.sqlite",
    ]


def test_after_a_loss_the_link_is_a_link_and_the_database_is_behind_it(
    program: Program, link: Path, writer: sqlite3.Connection
) -> None:
    assert program("run").code == 0
    writer.close()
    shutil.rmtree(program.root)
    program.root.mkdir()
    assert program("restore", "--in-place").code == 0
    assert link.readlink() == Path(TARGET)
    assert rows(program.root / "shared" / "main.sqlite") == 2


def test_a_live_database_behind_a_link_gets_its_old_rows_back(
    program: Program, link: Path, writer: sqlite3.Connection
) -> None:
    assert program("run").code == 0
    writer.execute("DELETE FROM orders")
    assert program("restore", "--in-place").code == 0
    assert writer.execute("SELECT count(*) FROM orders").fetchall() == [(2,)]
    assert link.readlink() == Path(TARGET)


def test_a_link_out_of_an_archive_leads_to_no_database_of_somebody_else(
    program: Program, link: Path, writer: sqlite3.Connection
) -> None:
    """The archive was made when the link led elsewhere; or whoever could write there made it so."""
    foreign = program.folder / "foreign.sqlite"
    with closing(sqlite3.connect(foreign)) as database, database:
        database.execute("CREATE TABLE orders (price)")
    database.close()
    here = link.resolve()
    link.unlink()
    link.symlink_to(foreign)
    assert program("run").code == 0
    link.unlink()
    link.symlink_to(here)
    writer.execute("INSERT INTO orders VALUES (3)")
    with closing(sqlite3.connect(foreign)) as database, database:
        database.execute("INSERT INTO orders VALUES (4)")
    before = foreign.read_bytes()
    done = program("restore", "--in-place")
    assert done.code == 1
    assert f"ln -s {foreign}" in done.err
    assert foreign.read_bytes() == before
    assert link.resolve() == here
    assert rows(here) == 3
