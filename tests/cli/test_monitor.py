"""`backupd monitor` and `backupd doctor` as their user meets them."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from backupd.history import History
from conftest import Program


def test_a_fresh_backup_is_healthy_in_the_words_of_the_guide(program: Program) -> None:
    program("run")
    done = program("monitor")
    assert done.code == 0
    first, last, size, *_ = done.out.splitlines()
    assert first == "✅ Backup shop at here is healthy"
    assert last.strip().startswith("Last backup: ")
    assert last.endswith(" ago")
    assert size.strip().startswith("Size: ")


def test_all_that_is_wrong_is_said_at_once_with_what_to_do(program: Program) -> None:
    program("run")
    program.set(MONITOR__MIN_FREE_MEGABYTES="999999999999", MONITOR__ALSO="other")
    done = program("monitor")
    assert done.code == 1
    assert "❌ Backup shop at here is not healthy: 1 finding" in done.out
    assert "❌ Backup other at here is not healthy: 1 finding" in done.out
    assert "MIN_FREE_MEGABYTES" in done.out
    assert "backupd run" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_a_cut_backup_is_not_healthy(program: Program) -> None:
    program("run")
    (archive,) = program.backups.glob("*.zip")
    os.truncate(archive, archive.stat().st_size - 1)
    document = json.loads(program("monitor", "--json").out)
    (here,) = document["destinations"]
    assert [finding["check"] for finding in here["findings"]] == ["damaged"]
    assert document["outcome"] == "failed"


def test_the_size_of_each_dump_is_remembered(program: Program) -> None:
    program.set(DATABASES__MAIN__URL="sqlite:///main.sqlite")
    with sqlite3.connect(program.root / "main.sqlite") as database:
        database.execute("CREATE TABLE bookings (price)")
    database.close()
    program("run")
    (archive,) = History(program.state / "shop" / "history.sqlite").archives().values()
    assert archive.dumps == {"main": (program.root / "main.sqlite").stat().st_size}


def test_a_table_that_lost_its_rows_is_said_by_the_run_and_by_monitor(program: Program) -> None:
    program.set(DATABASES__MAIN__URL="sqlite:///main.sqlite")
    with sqlite3.connect(program.root / "main.sqlite") as database:
        database.execute("CREATE TABLE bookings (price)")
        database.executemany("INSERT INTO bookings VALUES (?)", [(n,) for n in range(5000)])
        database.execute("CREATE TABLE guests AS SELECT * FROM bookings")
    assert "Warning" not in program("run").err
    with database:
        database.execute("DELETE FROM bookings WHERE price > 2")
    database.close()
    done = program("run")
    assert done.code == 0
    lost = "bookings 3 (5,000 before)"
    assert f"database main: Far fewer rows than in the dumps before it: {lost}." in done.err
    (here,) = json.loads(program("monitor", "--json").out)["destinations"]
    (finding,) = here["findings"]
    assert finding["check"] == "rows-shrunk"
    assert lost in finding["message"]


@pytest.fixture
def diagnoses(program: Program) -> dict[str, dict[str, str]]:
    program("run")
    document = json.loads(program("doctor", "--json").out)
    return {line["subject"]: line for line in document["lines"]}


def test_the_doctor_goes_through_the_check_list(
    diagnoses: dict[str, dict[str, str]], program: Program
) -> None:
    for subject in ("settings", "state", "source files", "destination here", "backup"):
        assert diagnoses[subject]["grade"] == "pass", subject
    assert diagnoses["mail"]["grade"] == "warn"
    assert all(line["hint"] for line in diagnoses.values() if line["grade"] != "pass")
    assert not [path for path in program.backups.iterdir() if "doctor" in path.name]


def test_the_doctor_fails_on_what_keeps_a_backup_from_being_taken(
    program: Program, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    program.set(
        SOURCE__INCLUDE="nowhere",
        DATABASES__MAIN__URL="sqlite:///no.sqlite",
        DATABASES__BOOKS__URL="postgresql://books@localhost/books",
        DATABASES__BOOKS__PROGRAM="/no/such/program",
        DESTINATIONS__BROKEN__TYPE="local",
        DESTINATIONS__BROKEN__PATH=str(tmp_path / "file"),
    )
    done = program("doctor", "--json")
    assert done.code == 1
    failed = [line["subject"] for line in json.loads(done.out)["lines"] if line["grade"] == "fail"]
    assert failed[:4] == ["source files", "database main", "database books", "destination broken"]


def test_the_doctor_says_that_two_destinations_are_one_disk(program: Program) -> None:
    program.set(
        DESTINATIONS__THERE__TYPE="local", DESTINATIONS__THERE__PATH=str(program.folder / "there")
    )
    lines = json.loads(program("doctor", "--json").out)["lines"]
    (line,) = [line for line in lines if line["subject"] == "disks"]
    assert (line["grade"], line["message"][:15]) == ("warn", "'here' and 'the")


def test_the_doctors_lines_fit_80_columns(program: Program) -> None:
    done = program("doctor")
    assert max(map(len, done.out.splitlines())) <= 80
    assert done.out.splitlines()[-1].endswith("fail")
