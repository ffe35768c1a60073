"""Putting an application back from archives as PHP's laravel-backup makes them."""

import sqlite3
import zipfile
from contextlib import closing
from datetime import UTC
from pathlib import Path

import pytest

from backupd.errors import DamagedError
from backupd.operations.in_place import InPlace
from backupd.operations.retrieve import Reading
from backupd.operations.select import Selection
from backupd.operations.sqlite_in_place import SqliteInPlace
from backupd.operations.staging import Application
from backupd.reports import RestoreReport
from fakes.archives import KEY, view_of
from fakes.clock import WoundClock
from fakes.listening import deaf

TEXT = """PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE users (name TEXT);
INSERT INTO users VALUES('a; b
c');
INSERT INTO users VALUES('é');
COMMIT;
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Lay down an application whose database has a write-ahead log at this moment."""
    root = tmp_path / "site"
    (root / "app").mkdir(parents=True)
    (root / "app/code.php").write_text("broken")
    with closing(sqlite3.connect(root / "database.sqlite")) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE users (name TEXT)")
    return root


def restore(root: Path, members: dict[str, bytes]) -> RestoreReport:
    """Put the application back from an archive of these members."""
    kept = root.parent / "kept"
    kept.mkdir()
    with zipfile.ZipFile(kept / KEY, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    path = root / "database.sqlite"
    return InPlace(
        copies=(view_of(kept),),
        application=Application(
            root=root,
            databases={"main": SqliteInPlace(path=path, lock_timeout=0.2)},
            live=(path, Path(f"{path}-wal"), Path(f"{path}-shm")),
        ),
        selection=Selection(),
        reading=Reading(zone=UTC),
        clock=WoundClock(),
    ).run(deaf)


def users(root: Path) -> list[str]:
    with closing(sqlite3.connect(root / "database.sqlite")) as database:
        return [name for (name,) in database.execute("SELECT name FROM users")]


@pytest.mark.parametrize("absolute", [True, False])
def test_members_go_where_the_application_is(root: Path, *, absolute: bool) -> None:
    before = str(root).lstrip("/") + "/" if absolute else ""
    restore(
        root,
        {
            f"{before}app/code.php": b"as it was",
            f"{before}new/deep/more.php": b"as it was",
            f"{before}database.sqlite": b"a copy that was made in the middle of a transaction",
            f"{before}database.sqlite-wal": b"of that moment",
            "db-dumps/sqlite-database.sql": TEXT.encode(),
        },
    )
    assert (root / "app/code.php").read_text() == "as it was"
    assert (root / "new/deep/more.php").read_text() == "as it was"
    assert users(root) == ["a; b\nc", "é"]
    assert {path.name for path in root.iterdir()} >= {"app", "new", "database.sqlite"}
    assert not (root / str(root).split("/")[1]).exists()
    assert not list(root.glob(".backupd-*"))


def test_a_dump_that_is_no_text_of_sqlite_changes_nothing(root: Path) -> None:
    with pytest.raises(DamagedError, match="neither a SQLite database nor SQL text"):
        restore(root, {"app/code.php": b"x", "db-dumps/mysql-shop.sql": b"SET NAMES utf8mb4;\n"})
    assert (root / "app/code.php").read_text() == "broken"
    assert users(root) == []


def test_a_text_that_reaches_for_other_files_is_refused(root: Path) -> None:
    other = root.parent / "other"
    for text in (f"ATTACH '{other}' AS x; CREATE TABLE x.y (z);", f"VACUUM INTO '{other}';"):
        with pytest.raises(DamagedError, match=r"authorization denied|not authorized"):
            restore(root, {"db-dumps/sqlite-database.sql": text.encode()})
        assert not other.exists()
        (root.parent / "kept" / KEY).unlink()
        (root.parent / "kept").rmdir()
