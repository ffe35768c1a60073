"""A SQLite database in a directory that backupd may not write to: what is dumped is what counts."""

import os
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from conftest import Done, Program
from fakes.nobody import as_nobody, belongs_to_nobody, enterable

WRITER = """
import os, signal, sqlite3, sys
path, mode, end = sys.argv[1:]
database = sqlite3.connect(path, isolation_level=None)
database.execute(f"PRAGMA journal_mode = {mode}")
database.execute("PRAGMA wal_autocheckpoint = 0")
database.execute("PRAGMA cache_size = 10")
database.execute("CREATE TABLE IF NOT EXISTS orders (text)")
database.execute("BEGIN")
database.executemany("INSERT INTO orders VALUES (?)", [("committed " * 20,)] * 2000)
database.execute("COMMIT")
if end == "in the middle":
    database.execute("BEGIN")
    database.execute("UPDATE orders SET text = ?", ("never committed " * 20,))
print("ready", flush=True)
sys.stdin.read()
if end == "well":
    database.close()
os.kill(os.getpid(), signal.SIGKILL)
"""


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be without its rights")


@pytest.fixture
def program() -> Iterator[Program]:
    """A program that may write to all it needs, and not to where the database is."""
    with enterable() as program:
        (program.folder / "data").mkdir()
        program.set(DATABASES__MAIN__TIMEOUT="1")
        belongs_to_nobody(program.folder)
        os.chown(program.folder / "data", 0, 0)
        yield program


def writer(path: Path, mode: str, end: str) -> "subprocess.Popen[str]":
    """Start the application; it ends as is said when its input does."""
    command = [sys.executable, "-c", WRITER, str(path), mode, end]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, umask=0o022
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def dump(program: Program, path: Path) -> Done:
    """Take a backup without rights."""
    program.set(DATABASES__MAIN__URL=f"sqlite:///{path}")
    return as_nobody(program, "run", "--only-db")


def dumped(program: Program) -> list[tuple[str, int]]:
    """Give the words of the rows of the newest dump, and how many have them."""
    (archive,) = program.backups.glob("*.zip")
    with zipfile.ZipFile(archive) as opened:
        (name,) = [name for name in opened.namelist() if name.startswith("db-dumps/")]
        path = opened.extract(name, program.folder)
    with closing(sqlite3.connect(path)) as database:
        words = "SELECT substr(text, 1, 9), count(*) FROM orders GROUP BY 1"
        return [(text, count) for text, count in database.execute(words)]


def test_a_database_that_nobody_has_open_is_dumped(program: Program) -> None:
    path = program.folder / "data" / "main.sqlite"
    writer(path, "WAL", "well").communicate()
    assert dump(program, path).code == 0
    assert dumped(program) == [("committed", 2000)]


def test_what_a_dead_writer_did_not_commit_is_not_dumped(program: Program) -> None:
    """Its journal says how to undo it, and only who may write there can."""
    path = program.folder / "data" / "main.sqlite"
    writer(path, "DELETE", "in the middle").communicate()
    assert path.with_name("main.sqlite-journal").exists()
    done = dump(program, path)
    assert done.code == 1
    assert "cannot be opened" in done.err


def test_what_a_living_writer_did_not_commit_is_not_dumped(program: Program) -> None:
    path = program.folder / "data" / "main.sqlite"
    with writer(path, "DELETE", "in the middle"):
        done = dump(program, path)
    assert done.code == 1
    assert "was locked by another process" in done.err


def test_what_stands_in_the_log_behind_a_link_is_not_left_out(program: Program) -> None:
    """Whoever died left the log without its shared memory, which only a writer can make."""
    path = program.folder / "data" / "main.sqlite"
    writer(path, "WAL", "suddenly").communicate()
    path.with_name("main.sqlite-shm").unlink()
    link = program.folder / "link.sqlite"
    link.symlink_to(path)
    done = dump(program, link)
    assert done.code == 1
    assert "cannot be opened" in done.err
