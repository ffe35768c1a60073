"""`backupd config` as its user meets it."""

import json

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


def test_show_prints_what_an_env_file_could_hold(program: Program) -> None:
    done = program("config", "show")
    assert done.code == 0
    assert "BACKUP_NAME=shop  # " in done.out


def test_example_prints_the_example(program: Program) -> None:
    assert "#BACKUP_ARCHIVE_PASSWORD=" in program("config", "example").out


def test_a_warning_goes_to_standard_error(program: Program) -> None:
    program.set(ARCHIVE_PASSWORD=secret("archive"))
    (program.folder / "backupd.env").chmod(0o644)
    done = program("config", "check")
    assert "Warning:" in done.err
    assert "Warning:" not in done.out
