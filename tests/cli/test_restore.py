"""`backupd restore`, `verify` and `drill` as their user meets them."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from backupd.archive.swap import Base, Journal
from conftest import Program, names
from fakes.overheard import secret


def damage(path: Path, place: float) -> None:
    """Flip a bit of a file, so far into it."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


@pytest.fixture
def app(program: Program) -> Program:
    """Give the application a database and a second destination, and take a backup."""
    with closing(sqlite3.connect(program.root / "main.sqlite")) as database, database:
        database.execute("CREATE TABLE bookings (price)")
        database.execute("INSERT INTO bookings VALUES (7)")
    (program.root / "noise").write_bytes(os.urandom(100_000))
    program.set(
        DATABASES__MAIN__URL="sqlite:///main.sqlite",
        ARCHIVE_PASSWORD=secret("archive"),
        DESTINATIONS__THERE__TYPE="local",
        DESTINATIONS__THERE__PATH=str(program.folder / "there"),
    )
    done = program("run")
    assert done.code == 0, done.err
    return program


def archive(app: Program) -> Path:
    (name,) = names(app.backups)
    return app.backups / name


def apart(app: Program) -> None:
    """Make the two destinations' copies two files, where they were links to one."""
    content = archive(app).read_bytes()
    archive(app).unlink()
    (app.backups / names(app.folder / "there")[0]).write_bytes(content)


def test_a_backup_restores_into_a_directory(app: Program) -> None:
    done = app("restore", "--to", str(app.folder / "out"))
    assert done.code == 0, done.err
    assert done.out.startswith("Restored ")
    assert (app.folder / "out/app/code.php").read_text() == "app/code.php"
    assert "Database dump: " in done.out
    again = app("restore", "--to", str(app.folder / "out"))
    assert again.code == 0
    assert "; already there: " in again.out


def test_something_in_the_way_is_named_and_nothing_is_written(app: Program) -> None:
    (app.folder / "out").mkdir()
    (app.folder / "out/.env").write_text("mine")
    done = app("restore", "--to", str(app.folder / "out"))
    assert done.code == 1
    assert ".env is there already" in done.err
    assert "--overwrite" in done.err
    shown = app("restore", "--to", str(app.folder / "out"), "--dry-run")
    assert "In the way: .env" in shown.out
    assert (shown.code, shown.err) == (1, done.err)
    told = json.loads(app("restore", "--to", str(app.folder / "out"), "--dry-run", "--json").out)
    assert told["exit_code"] == 1
    assert app("restore", "--to", str(app.folder / "out"), "--dry-run", "--overwrite").code == 0
    assert [path.name for path in (app.folder / "out").iterdir()] == [".env"]


def test_one_is_one_and_not_several(app: Program) -> None:
    one = ("restore", "--to", str(app.folder / "out"), "--path", ".env")
    assert app(*one, "--dry-run").out.splitlines()[-1].startswith("1 member of ")
    assert app(*one).out.startswith("Restored 1 member (")
    assert app(*one).out.startswith("Restored 0 members (")


def test_one_path_and_json(app: Program) -> None:
    done = app("restore", "--to", str(app.folder / "out"), "--path", "storage/**", "--json")
    report = json.loads(done.out)
    assert report["outcome"] == "succeeded"
    assert report["restored"] == 1
    assert report["plan"]["members"][-1] == "storage/app/documents/a.pdf"
    again = app("restore", "--to", str(app.folder / "other"), "--path", "storage/**")
    assert again.out.startswith("Restored 1 member (")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--to", "x", "--in-place"),
        ("--in-place", "--overwrite"),
        ("--to", "x", "--only-db", "--only-files"),
        ("--to", "x", "--at", "yesterday"),
        ("shop-2001-01-01-00-00-00.zip", "--to", "x", "--at", "2025-01-01"),
        ("--to", "x", "--destination", "nowhere"),
    ],
)
def test_bad_usage_ends_with_2(app: Program, arguments: tuple[str, ...]) -> None:
    assert app("restore", *arguments).code == 2


def test_a_file_is_named_as_where_it_was_lost(app: Program) -> None:
    for number, path in enumerate(("./app/code.php", str(app.root / "app/code.php"))):
        done = app("restore", "--to", str(app.folder / str(number)), "--path", path)
        assert done.code == 0, done.err
        assert (app.folder / str(number) / "app/code.php").exists()


def test_what_excludes_each_other_is_told_to_do_so(app: Program) -> None:
    both = app("restore", "--to", "x", "--in-place")
    assert (both.code, "--to and --in-place exclude each other" in both.err) == (2, True)


def test_one_database_is_restored_to_a_directory_as_the_error_says(app: Program) -> None:
    where = ("--to", str(app.folder / "out"))
    refused = app("restore", "--only-db", "--db", "main", *where)
    assert refused.code == 2
    assert "--path 'db-dumps/*-main-*'" in " ".join(refused.err.split())
    assert app("restore", "--path", "db-dumps/*-main-*", *where).code == 0
    assert len(list((app.folder / "out/db-dumps").iterdir())) == 1


def test_a_moment_before_the_first_backup_has_none(app: Program) -> None:
    done = app("restore", "--to", "x", "--at", "2001-01-01 12:00")
    assert done.code == 1
    assert "no backup not after 2001-01-01 12:00:00" in done.err


def test_in_place_puts_files_and_database_back(app: Program) -> None:
    app.set(RESTORE__BEFORE="touch down", RESTORE__AFTER="rm down")
    (app.root / "app/code.php").write_text("broken")
    with closing(sqlite3.connect(app.root / "main.sqlite")) as database, database:
        database.execute("DELETE FROM bookings")
    done = app("restore", "--in-place")
    assert done.code == 0, done.err
    assert (app.root / "app/code.php").read_text() == "app/code.php"
    assert (app.root / "vendor/x.php").exists()
    assert not (app.root / "down").exists()
    with closing(sqlite3.connect(app.root / "main.sqlite")) as database:
        assert database.execute("SELECT price FROM bookings").fetchall() == [(7,)]
    assert not list(app.root.glob(".backupd-*"))


def test_what_a_killed_restore_left_is_not_backed_up(app: Program) -> None:
    (app.root / ".backupd-restore-2025-11-08-01-00-00/new").mkdir(parents=True)
    (app.root / ".backupd-0123456789abcdef.partial").write_text("x")
    done = app("restore", "--to", str(app.folder / "out"), "--dry-run")
    app("run")
    again = app("restore", "--to", str(app.folder / "out"), "--dry-run")
    assert ".backupd-restore" not in again.out
    assert ".partial" not in again.out
    assert done.code == again.code == 0


def test_a_half_restored_application_is_not_backed_up(app: Program) -> None:
    left = app.root / ".backupd-restore-2025-11-08-01-00-00"
    left.mkdir()
    base = Base(location=app.root)
    journal = Journal(bases=(base,), paths=("app/code.php",), made=(), databases=())
    journal.write(left)
    (left / "old/app").mkdir(parents=True)
    (left / "new").mkdir()
    (app.root / "app/code.php").rename(left / "old/app/code.php")
    before = names(app.backups)
    for how in ((), ("--only-db",)):
        done = app("run", *how)
        assert (done.code, names(app.backups)) == (1, before)
        assert f"half restored: {left}" in done.err
        assert "backupd restore --in-place" in done.err
    assert app("restore", "--in-place").code == 0
    assert app("run").code == 0


@pytest.mark.parametrize("command", ["restore --to out", "verify", "pin", "unpin"])
def test_a_backup_that_is_nowhere_is_a_failure_and_not_bad_usage(
    app: Program, command: str
) -> None:
    done = app(*command.split(), "shop-2001-01-01-00-00-00")
    assert (done.code, "no backup named shop-2001-01-01-00-00-00" in done.err) == (1, True)


def test_verify_says_good_and_then_damaged(app: Program) -> None:
    good = app("verify")
    assert good.code == 0, good.err
    assert good.out.count(": good") == 2
    apart(app)
    damage(archive(app), 0.5)
    bad = app("verify")
    assert bad.code == 1
    assert ": damaged" in bad.out
    assert ": good" in bad.out
    report = json.loads(app("verify", "--destination", "here", "--json").out)
    assert report["outcome"] == "failed"
    assert report["proofs"][0]["flaws"]


def test_a_damaged_copy_is_passed_over_by_restore(app: Program) -> None:
    apart(app)
    damage(archive(app), 0.5)
    done = app("restore", "--to", str(app.folder / "out"))
    assert done.code == 0, done.err
    assert "Note: The copy at 'here' was given up: " in done.err
    assert (app.folder / "out/.env").read_text() == ".env"


def test_drill_opens_the_databases_and_leaves_nothing(app: Program) -> None:
    done = app("drill")
    assert done.code == 0, done.err
    assert done.out.count("databases opened: main") == 2
    assert not list(app.state.rglob("drill-*"))


def test_a_drill_that_fails_takes_the_backup_off_what_retention_counts(app: Program) -> None:
    apart(app)
    damage(archive(app), 0.5)
    done = app("drill")
    assert done.code == 1
    assert "noise" in done.out
    listed = app("list", "--backups").out
    here, there = listed.split("shop at there")
    assert " BAD " in here
    assert " BAD " not in there


def test_a_backup_with_another_password_is_told_so(app: Program) -> None:
    app.set(ARCHIVE_PASSWORD=secret("another archive"))
    done = app("restore", "--to", str(app.folder / "out"))
    assert done.code == 1
    assert "another password" in done.err
    assert "geheim" not in done.err + done.out
    assert not (app.folder / "out").exists()
    assert app("drill").code == 1
