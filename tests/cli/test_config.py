"""`backupd config` as its user meets it."""

import json
from pathlib import Path

import pytest

from conftest import Program
from fakes.overheard import secret


def test_check_says_that_all_is_well(program: Program) -> None:
    done = program("config", "check")
    assert done.code == 0
    assert "backup set 'shop' are valid" in done.out
    assert json.loads(program("config", "check", "--json").out)["valid"] is True


def test_check_says_every_mistake(program: Program) -> None:
    program.set(LANGUAGE="de", LOG_LEVEL="loud")
    done = program("config", "check", "--json")
    assert done.code == 78
    assert json.loads(done.out)["exit_code"] == 78
    assert "BACKUP_LANGUAGE" in done.err
    assert "BACKUP_LOG_LEVEL" in done.err


@pytest.mark.parametrize("root", ["", "BACKUP_SOURCE__ROOT=shop"])
def test_check_warns_where_the_current_directory_decides(program: Program, root: str) -> None:
    program.lines = [line for line in program.lines if "SOURCE__ROOT" not in line] + [root]
    program.set()
    done = program("config", "check", "--json")
    [warning] = json.loads(done.out)["warnings"]
    assert done.code == 0
    assert f"from here, {Path('shop' if root else '.').absolute()} would be backed up" in warning
    assert done.err == f"Warning: {warning}\n"


def test_show_prints_what_an_env_file_could_hold(program: Program) -> None:
    done = program("config", "show")
    assert done.code == 0
    assert "BACKUP_NAME=shop  # " in done.out


def test_example_prints_the_example(program: Program) -> None:
    assert "#BACKUP_ARCHIVE_PASSWORD=" in program("config", "example").out


def test_the_example_as_json_is_one_document(program: Program) -> None:
    text = program("config", "example").out
    assert json.loads(program("config", "example", "--json").out) == {"text": text}


def test_a_warning_goes_to_standard_error(program: Program) -> None:
    program.set(ARCHIVE_PASSWORD=secret("archive"))
    (program.folder / "backupd.env").chmod(0o644)
    done = program("config", "check")
    assert "Warning:" in done.err
    assert "Warning:" not in done.out


@pytest.mark.parametrize("link", [False, True])
def test_a_spool_that_is_a_destination_is_refused_before_anything_is_lost(
    program: Program,
    link: bool,  # noqa: FBT001
) -> None:
    program.backups.mkdir()
    spool = program.folder / "link" if link else program.backups
    if link:
        spool.symlink_to(program.backups)
    program.set(SPOOL=str(spool))
    done = program("config", "check")
    assert done.code == 78
    assert "BACKUP_SPOOL and BACKUP_DESTINATIONS__HERE__PATH are the same" in done.err
    assert "directory of its own" in done.err
    assert program("run").code == 78


def test_two_destinations_in_one_directory_are_refused(program: Program) -> None:
    again = f"{program.backups}/../{program.backups.name}"
    program.set(DESTINATIONS__AGAIN__TYPE="local", DESTINATIONS__AGAIN__PATH=again)
    done = program("config", "check")
    assert done.code == 78
    assert "BACKUP_DESTINATIONS__HERE__PATH" in done.err
    assert "BACKUP_DESTINATIONS__AGAIN__PATH" in done.err
    assert "two copies" in done.err


def test_a_spool_inside_a_destination_takes_nothing_away(program: Program) -> None:
    program.set(SPOOL=str(program.backups / "spool"))
    program.backups.mkdir()
    assert program("run").code == 0
    assert len(list(program.backups.glob("*.zip"))) == 1


def test_links_that_lead_in_a_circle_are_no_bug_of_the_program(program: Program) -> None:
    circle = program.folder / "circle"
    circle.symlink_to(circle)
    program.set(SPOOL=str(circle))
    assert program("config", "check").code == 0
    assert "cannot be used" in program("run").err
