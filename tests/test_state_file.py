"""Small files of state: a damaged one is set aside, for it must stop neither backup nor restore."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from backupd.errors import BackupdError
from backupd.state_file import opened

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (text TEXT) STRICT;"
PAGE = 4096


def note(path: Path, text: str, *more: str) -> None:
    with opened(path, SCHEMA, "diary") as database:
        database.execute("INSERT INTO notes VALUES (?)", (text,))
        for statement in more:
            database.execute(statement)


def notes(path: Path) -> list[str]:
    with opened(path, SCHEMA, "diary") as database:
        return [text for (text,) in database.execute("SELECT text FROM notes ORDER BY rowid")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "diary.sqlite"


def test_what_is_noted_is_there_and_private(path: Path) -> None:
    note(path, "one")
    note(path, "two")
    assert notes(path) == ["one", "two"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_raises_leaves_nothing(path: Path) -> None:
    note(path, "one")
    with pytest.raises(BackupdError, match="syntax error"):
        note(path, "two", "no SQL")
    assert notes(path) == ["one"]


@pytest.mark.parametrize("start", [0, 100])
def test_a_damaged_file_is_set_aside_and_a_new_one_is_begun(path: Path, start: int) -> None:
    """Damaged in its head, and in its list of tables."""
    note(path, "one")
    damaged = bytearray(path.read_bytes())
    damaged[start:PAGE] = b"\xa5" * (PAGE - start)
    path.write_bytes(damaged)
    journal = path.with_name(f"{path.name}-journal")
    journal.write_bytes(b"what a dead program left")
    with capture_logs() as lines:
        note(path, "two")
    assert notes(path) == ["two"]
    assert path.with_name(f"{path.name}.damaged").read_bytes() == bytes(damaged)
    assert not journal.exists()
    (line,) = lines
    assert line["log_level"] == "warning"
    assert "the diary is damaged" in line["event"]


def test_damage_that_is_found_late_is_an_error_once(path: Path) -> None:
    for number in range(500):
        note(path, f"{number} " * 20)
    damaged = bytearray(path.read_bytes())
    damaged[-PAGE:] = b"\xa5" * PAGE
    path.write_bytes(damaged)
    with pytest.raises(BackupdError, match="malformed") as caught:
        notes(path)
    assert "do the same again" in caught.value.hint
    assert notes(path) == []


def test_a_file_is_read_where_nothing_can_be_written(path: Path) -> None:
    note(path, "one")
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert notes(path) == ["one"]
