"""Whoever may not look into a directory is told so: it is no bug, and nothing is 'not there'."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backupd.errors import SettingsError
from backupd.settings.read import load_settings
from conftest import Program
from fakes.nobody import as_nobody, belongs_to_nobody, enterable, nobody

DENIED = "Permission denied"


@pytest.fixture
def program() -> Iterator[Program]:
    with enterable() as program:
        yield program


@pytest.fixture
def closed(program: Program) -> Iterator[Path]:
    """Give a directory that nobody else may look into."""
    closed = program.folder / "closed"
    closed.mkdir(mode=0o755)
    yield closed
    closed.chmod(0o700)


def test_an_env_file_that_may_not_be_looked_at_is_not_taken_for_missing(
    program: Program, closed: Path, tmp_path: Path
) -> None:
    """As `/etc/backupd`, which is root's own, to everybody else."""
    (closed / "backupd.env").touch()
    belongs_to_nobody(program.folder)
    closed.chmod(0)
    with nobody(), pytest.raises(SettingsError, match=DENIED):
        load_settings({}, default=closed / "backupd.env")
    assert load_settings({}, default=tmp_path / "missing.env").env_file is None


@pytest.mark.parametrize("command", ["run", "status", "list", "monitor", "clean", "doctor"])
def test_a_state_directory_that_may_not_be_looked_at(
    program: Program, closed: Path, command: str
) -> None:
    program("run")
    program.state.rename(closed / "state")
    program.state.symlink_to(closed / "state")
    belongs_to_nobody(program.folder)
    closed.chmod(0)
    done = as_nobody(program, command)
    assert done.code == 1
    assert "bug" not in done.err
    assert "may not" in done.out if command == "doctor" else DENIED in done.err


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_source_that_may_not_be_looked_at(program: Program, closed: Path, command: str) -> None:
    (closed / "application").mkdir()
    program.set(SOURCE__ROOT=str(closed / "application"))
    belongs_to_nobody(program.folder)
    closed.chmod(0)
    done = as_nobody(program, command)
    assert done.code == 1
    assert "bug" not in done.err
    if command == "doctor":
        assert "may not be read" in done.out
    else:
        assert f"is to be backed up and cannot be read: {DENIED}" in done.err


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_sqlite_database_that_may_not_be_looked_at(
    program: Program, closed: Path, command: str
) -> None:
    (closed / "main.sqlite").touch()
    program.set(DATABASES__MAIN__URL=f"sqlite:///{closed}/main.sqlite")
    belongs_to_nobody(program.folder)
    closed.chmod(0)
    done = as_nobody(program, command)
    assert done.code == 1
    assert "bug" not in done.err
    said = done.out if command == "doctor" else done.err
    assert "may not be read" in said if command == "doctor" else DENIED in said
    assert "exist" not in said.partition("destination")[0]


def test_a_destination_that_may_not_be_looked_at(program: Program, closed: Path) -> None:
    program.set(DESTINATIONS__HERE__PATH=str(closed / "backups"))
    belongs_to_nobody(program.folder)
    closed.chmod(0)
    for command in ("run", "list", "monitor", "clean", "doctor"):
        done = as_nobody(program, command)
        assert done.code == 1, command
        assert "bug" not in done.err, command
        assert DENIED in " ".join((done.out + done.err).split()), command


def test_a_place_to_restore_to_that_may_not_be_looked_at(program: Program, closed: Path) -> None:
    program("run")
    belongs_to_nobody(program.folder)
    closed.chmod(0)
    done = as_nobody(program, "restore", "--to", str(closed / "restored"))
    assert done.code == 1
    assert "bug" not in done.err
    assert DENIED in done.err
