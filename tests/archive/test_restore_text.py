"""`RESTORE.txt` is true: its commands are run, and bring everything back."""

import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from backupd.archive.restore_text import restore_text
from backupd.model import DatabaseFacts, Member, MemberKind
from fakes.archives import KEY, archive_of, header, look
from fakes.instructions import followed

DUMP = "db-dumps/sqlite-main-2025-11-08-01-00-00.sqlite"
PASSWORD = "a secret"
KINDS = {"sqlite": "sqlite", "postgresql": "sql", "mysql": "sql", "mongodb": "archive"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "app/empty").mkdir(parents=True)
    (tree / "app/with space é").write_text("x")
    (tree / "app/script").write_text("#!/bin/sh")
    (tree / "app/script").chmod(0o750)
    (tree / "link").symlink_to("app")
    for own in ("db-dumps/mine.txt", ".backupd/app.conf"):
        (tree / own).parent.mkdir()
        (tree / own).write_text("the application's")
    (tree / "app/link up").symlink_to("../app/script")
    return tree


def kept(folder: Path, tree: Path, password: str | None) -> Path:
    with closing(sqlite3.connect(folder / "dump")) as made, made:
        made.execute("CREATE TABLE t (x)")
    member = Member(
        path=DUMP,
        kind=MemberKind.DUMP,
        size=(folder / "dump").stat().st_size,
        mtime_ns=0,
        mode=0o600,
        origin=str(folder / "dump"),
        database=DatabaseFacts(name="main", kind="sqlite", tables={"t": 0}),
    )
    archive_of(tree, folder / "kept", password=password, members=(member,))
    return folder / "kept"


@pytest.mark.parametrize("language", [0, 1])
@pytest.mark.parametrize("extractor", ["unzip", "7z", "bsdtar", "7z with a password"])
def test_its_commands_bring_everything_back(
    tmp_path: Path, tree: Path, extractor: str, language: int
) -> None:
    chosen = extractor.split(maxsplit=1)[0]
    password = PASSWORD if "password" in extractor else None
    folder = kept(tmp_path, tree, password)
    written = restore_text(header(), [DUMP], encrypted=password is not None)
    application, database = tmp_path / "application", tmp_path / "live.sqlite"
    application.mkdir()
    database.write_text("something old")
    (tmp_path / "live.sqlite-wal").write_text("something old")
    for needed in (chosen, "sqlite3"):
        if shutil.which(needed) is None:
            pytest.skip(f"{needed} is not installed")
    done = followed(
        written,
        folder,
        {"APPLICATION": str(application), "DATABASE": str(database)},
        extractor=chosen,
        language=language,
        said=f"{password}\n" if password else "",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("ok")
    found = {name: (seen.kind, seen.mode, seen.content) for name, seen in look(application).items()}
    assert found == {
        name: (seen.kind, seen.mode, seen.content) for name, seen in look(tree).items()
    }
    assert not (tmp_path / "live.sqlite-wal").exists()
    assert database.read_bytes() == (tmp_path / "dump").read_bytes()


def test_unzip_brings_back_rights_and_names_that_others_lose(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in ("a\nb", "ab", "back\\slash", "drive:x", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"):
        (tree / "names" / name).mkdir(parents=True)
    (tree / "names" / "cafe\N{COMBINING ACUTE ACCENT}").mkdir()
    (tree / "shared").mkdir()
    (tree / "shared").chmod(0o3775)
    (tree / "tool").write_text("x")
    (tree / "tool").chmod(0o4755)
    folder = kept(tmp_path, tree, None)
    (tmp_path / "application").mkdir()
    values = {"APPLICATION": str(tmp_path / "application"), "DATABASE": str(tmp_path / "live")}
    done = followed(restore_text(header(), [DUMP], encrypted=False), folder, values)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {name: seen.mode for name, seen in look(tmp_path / "application").items()}
    assert found == {name: seen.mode for name, seen in look(tree).items()}


def test_it_stands_in_the_archive_in_both_languages(tmp_path: Path, tree: Path) -> None:
    folder = kept(tmp_path, tree, None)
    shown = subprocess.run(
        ["unzip", "-p", folder / KEY, "RESTORE.txt"], capture_output=True, text=True, check=True
    ).stdout
    assert "You do not need backupd" in shown
    assert "Il n'est pas besoin de" in shown


@pytest.mark.parametrize(
    ("dump", "expected"),
    [
        ("db-dumps/postgresql-a-2025-11-08-01-00-00.dump", "pg_restore"),
        ("db-dumps/postgresql-a-2025-11-08-01-00-00.sql", "psql"),
        ("db-dumps/postgresql-a-2025-11-08-01-00-00.sql.gz", "gunzip dumps/db-dumps/postgresql-a"),
        ("db-dumps/postgresql-a-2025-11-08-01-00-00.sql.gz", "2025-11-08-01-00-00.sql\n"),
        ("db-dumps/mysql-a-2025-11-08-01-00-00.sql", "mysql --binary-mode"),
        ("db-dumps/mariadb-a.b-2025-11-08-01-00-00.sql.gz", "mariadb --binary-mode"),
        ("db-dumps/mongodb-a-2025-11-08-01-00-00.archive.gz", "mongorestore"),
    ],
)
def test_each_kind_of_dump_has_its_command(dump: str, expected: str) -> None:
    assert expected in restore_text(header(), [dump], encrypted=False)


@pytest.mark.parametrize("language", [0, 1])
def test_what_is_to_be_filled_in_is_named_before_the_commands(language: int) -> None:
    dumps = [f"db-dumps/{kind}-a-2025-11-08-01-00-00.{end}" for kind, end in KINDS.items()]
    half = restore_text(header(), dumps, encrypted=False).split("-" * 78)[language]
    before, _, commands = half.partition("\n4. ")[2].partition(":\n\n")
    variables = {line.strip().partition("=")[0] for line in commands.splitlines() if "=" in line}
    assert {name for name in variables if name.isupper()} == set(re.findall(r"[A-Z]+(?==)", before))


def test_roles_come_before_the_databases_that_name_them() -> None:
    dumps = [
        "db-dumps/postgresql-a-2025-11-08-01-00-00.sql",
        "db-dumps/postgresql-a.@globals-2025-11-08-01-00-00.sql",
    ]
    english = restore_text(header(), dumps, encrypted=False).split("-" * 78)[0]
    assert english.index("--dbname=postgres ") < english.index("--single-transaction")


def test_it_moves_itself_out_of_the_way_and_not_the_applications_file() -> None:
    written = restore_text(header(), [], encrypted=False, path="RESTORE.backupd.txt")
    assert "mv restored/RESTORE.backupd.txt dumps/RESTORE.backupd.txt" in written
    assert "restored/RESTORE.txt" not in written
