"""Databases on real servers, backed up by the program as its user runs it."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from conftest import Done, Program
from external.databases.samples import FEW_ROWS, Spy, sample
from external.databases.servers import RunningServer
from fakes.overheard import MARK

PASSWORD = f"{MARK} 'p@ss:w/rd#\"%\\"


@pytest.fixture(scope="module")
def shop(postgresql: RunningServer) -> Iterator[RunningServer]:
    postgresql.sql("CREATE DATABASE app;")
    postgresql.sql(sample("postgresql", FEW_ROWS), "app")
    literal = PASSWORD.replace("'", "''")
    postgresql.sql(f"CREATE USER backup PASSWORD '{literal}' SUPERUSER;")
    yield postgresql
    postgresql.sql("DROP USER backup;")
    postgresql.sql("DROP DATABASE app WITH (FORCE);")


@pytest.fixture
def ready(program: Program, shop: RunningServer) -> Program:
    """Set an application with a database on a server."""
    secret = program.folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    program.set(
        DATABASES__MAIN__URL=f"postgresql://backup@127.0.0.1:{shop.port}/app",
        DATABASES__MAIN__PASSWORD_FILE=str(secret),
    )
    return program


@pytest.fixture
def instead(ready: Program, tmp_path: Path) -> Callable[[str], None]:
    """Put a script in the place of pg_dump, in which `dump` is the real one."""

    def put(body: str) -> None:
        real = shutil.which("pg_dump")
        script = tmp_path / "pg_dump"
        asked = f'[ "$1" = --version ] && exec {real} "$@"'
        script.write_text(f'#!/bin/sh\n{asked}\ndump() {{ {real} "$@"; }}\n{body}\n')
        script.chmod(0o755)
        ready.set(DATABASES__MAIN__PROGRAM=str(script))

    return put


def refused(done: Done, program: Program) -> str:
    """Make sure that a run failed, and left nothing that looks like a backup."""
    assert done.code == 1, done.err
    assert not list(program.backups.glob("*"))
    spool = program.state.rglob("*.zip*")
    assert not list(spool)
    assert PASSWORD not in done.err + done.out
    return done.err


def test_a_dump_is_in_the_archive_and_its_rows_in_the_manifest(ready: Program) -> None:
    with Spy() as spy:
        done = ready("run", "--verbose")
    assert done.code == 0, done.err
    (archive,) = ready.backups.glob("*.zip")
    with ZipFile(archive) as opened:
        manifest = json.loads(opened.read(".backupd/manifest.json"))
        (dump,) = (name for name in opened.namelist() if name.endswith(".dump"))
        listed = subprocess.run(
            ("pg_restore", "--list"), input=opened.read(dump), capture_output=True, check=True
        )
    assert b"TABLE DATA public everything" in listed.stdout
    (database,) = manifest["databases"]
    assert database["tables"]["public.everything"] == FEW_ROWS
    assert database["exact"]
    assert b"pg_dump" in spy.programs
    assert not [seen for seen in spy.seen if PASSWORD.encode() in seen]
    assert PASSWORD not in done.err + done.out
    assert not list(ready.folder.rglob("*.pgpass"))


def test_a_failed_dump_ends_with_one_line_that_says_what_to_do(
    ready: Program, shop: RunningServer
) -> None:
    ready.set(DATABASES__GONE__URL=f"postgresql://postgres@127.0.0.1:{shop.port}/gone")
    said = refused(ready("run"), ready)
    assert 'database "gone" does not exist' in said
    assert "Check the names in BACKUP_DATABASES__…__URL" in said


def test_a_dump_that_fails_in_the_middle_leaves_no_backup(
    ready: Program, instead: Callable[[str], None]
) -> None:
    instead('dump "$@" | head -c 90000\nexit 1')
    assert "pg_dump ended with status 1" in refused(ready("run"), ready)


def test_a_dump_cut_short_without_an_error_leaves_no_backup(
    ready: Program, instead: Callable[[str], None]
) -> None:
    instead('dump "$@" | head -c 90000')
    assert "pg_restore ended with status 1" in refused(ready("run"), ready)


def test_a_database_that_is_not_required_makes_the_backup_partial(
    ready: Program, shop: RunningServer
) -> None:
    gone = f"postgresql://postgres@127.0.0.1:{shop.port}/gone"
    ready.set(DATABASES__GONE__URL=gone, DATABASES__GONE__REQUIRED="no")
    done = ready("run")
    assert done.code == 3, done.err
    assert 'database "gone" does not exist' in done.err
    (archive,) = ready.backups.glob("*.zip")
    with ZipFile(archive) as opened:
        manifest = json.loads(opened.read(".backupd/manifest.json"))
        assert [each["name"] for each in manifest["databases"]] == ["main"]
    (omission,) = manifest["omissions"]
    assert omission["reason"] == "dump failed"
    assert not omission["harmless"]


def test_a_dump_that_is_not_required_and_fails_at_its_end_is_taken_back(
    ready: Program, instead: Callable[[str], None]
) -> None:
    instead('dump "$@"\nexit 3')
    ready.set(DATABASES__MAIN__REQUIRED="no")
    done = ready("run")
    assert done.code == 3, done.err
    (archive,) = ready.backups.glob("*.zip")
    with ZipFile(archive) as opened:
        assert opened.testzip() is None
        assert not [name for name in opened.namelist() if name.startswith("db-dumps/")]


def test_nothing_but_a_failed_dump_is_a_failure_even_if_it_is_not_required(
    ready: Program, shop: RunningServer
) -> None:
    ready.set(
        DATABASES__MAIN__URL=f"postgresql://postgres@127.0.0.1:{shop.port}/gone",
        DATABASES__MAIN__REQUIRED="no",
    )
    assert "Nothing could be backed up" in refused(ready("run", "--only-db"), ready)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_spool_leaves_no_backup(ready: Program, tmp_path: Path) -> None:
    spool = tmp_path / "small"
    spool.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=200k", "none", spool), check=True)
    try:
        ready.set(SPOOL=str(spool))
        assert "No space left on device" in refused(ready("run"), ready)
    finally:
        subprocess.run(("umount", spool), check=True)


def test_the_doctor_tries_the_connection_and_the_rights(
    ready: Program, shop: RunningServer
) -> None:
    shop.sql(f"CREATE USER reader PASSWORD '{MARK}';")
    try:
        ready.set(
            DATABASES__POOR__URL=shop.url("app", "reader", MARK),
            DATABASES__AWAY__URL="mysql://u@127.0.0.1:1/shop",
        )
        said = ready("doctor").out
    finally:
        shop.sql("DROP USER reader;")
    assert "The database 'app' on PostgreSQL" in said
    assert "tables to dump, all of which may be read" in said
    assert "The user may not read everything in the database 'app'" in said
    assert "Can't connect to" in said


@pytest.fixture
def taken(ready: Program) -> Program:
    assert ready("run").code == 0
    return ready


@pytest.fixture
def copy(shop: RunningServer) -> Iterator[str]:
    """Name an address of a database that is not there yet."""
    yield f"postgresql://backup@127.0.0.1:{shop.port}/copy"
    shop.sql("DROP DATABASE IF EXISTS copy WITH (FORCE);")


def test_a_database_is_restored_into_another_one(
    taken: Program, shop: RunningServer, copy: str
) -> None:
    done = taken("restore", "--only-db", "--db", "main", "--to-url", copy)
    assert done.code == 0, done.err
    assert "Loaded main from db-dumps/postgresql-main-" in done.out
    count = "SELECT count(*), sum(twice) FROM everything;"
    assert shop.sql(count, "copy") == shop.sql(count, "app")


def test_a_database_that_is_not_empty_is_not_touched(
    taken: Program, shop: RunningServer, copy: str
) -> None:
    shop.sql("CREATE DATABASE copy;")
    shop.sql("CREATE TABLE mine (i int);", "copy")
    done = taken("restore", "--only-db", "--to-url", copy)
    assert done.code == 1
    assert "The database 'main' is not empty: it has public.mine." in done.err
    assert "--overwrite" in done.err
    assert shop.sql("SELECT count(*) FROM pg_class WHERE relname = 'everything';", "copy") == "0"


def test_a_database_goes_back_where_it_came_from(taken: Program, shop: RunningServer) -> None:
    before = shop.sql("SELECT count(*) FROM everything;", "app")
    shop.sql("DELETE FROM everything WHERE id % 2 = 0;", "app")
    assert taken("restore", "--only-db").code == 1
    done = taken("restore", "--only-db", "--overwrite", "--json")
    assert done.code == 0, done.err
    (loaded,) = json.loads(done.out)["loaded"]
    assert loaded["differences"] == []
    assert shop.sql("SELECT count(*) FROM everything;", "app") == before


def test_a_damaged_archive_leaves_the_database_as_it_was(
    taken: Program, shop: RunningServer, copy: str
) -> None:
    (archive,) = taken.backups.glob("*.zip")
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 0x55
    archive.chmod(0o600)
    archive.write_bytes(content)
    done = taken("restore", "--only-db", "--to-url", copy)
    assert done.code == 1
    assert "damaged" in done.err
    there = "SELECT count(*) FROM pg_class WHERE relname IN ('everything', 'visits');"
    assert shop.sql(there, "copy") == "0"


def test_a_dump_that_one_copy_cannot_give_comes_from_the_next(
    ready: Program, shop: RunningServer, copy: str, tmp_path: Path
) -> None:
    ready.set(DESTINATIONS__THERE__TYPE="local", DESTINATIONS__THERE__PATH=str(tmp_path / "there"))
    assert ready("run").code == 0
    (archive,) = ready.backups.glob("*.zip")
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 0x55
    archive.unlink()
    archive.write_bytes(content)
    done = ready("restore", "--only-db", "--to-url", copy)
    assert done.code == 0, done.err
    assert "Note: The copy at 'here' was given up: " in done.err
    count = "SELECT count(*), sum(twice) FROM everything;"
    assert shop.sql(count, "copy") == shop.sql(count, "app")


def test_a_database_that_the_backup_does_not_have_is_named(taken: Program) -> None:
    done = taken("restore", "--only-db", "--db", "other")
    assert done.code == 1
    assert "The backup has no dump of other" in done.err
    assert "It has dumps of: main." in done.err


def test_an_address_that_is_none_is_bad_usage(taken: Program) -> None:
    done = taken("restore", "--only-db", "--to-url", "shop")
    assert done.code == 2
    assert "an address that starts with postgresql://" in done.err
    assert taken("restore", "--db", "main", "--to", "x").code == 2


def test_a_drill_loads_the_dump_into_a_database_of_its_own(
    taken: Program, shop: RunningServer
) -> None:
    names = "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database;"
    before = shop.sql(names)
    taken.set(DRILL__URL=f"postgresql://postgres@127.0.0.1:{shop.port}/")
    done = taken("drill", "--json")
    assert done.code == 0, done.err
    (proof,) = json.loads(done.out)["proofs"]
    assert proof["databases"] == ["main"]
    assert shop.sql(names) == before


def test_a_drill_fails_if_the_dump_cannot_be_loaded(taken: Program, shop: RunningServer) -> None:
    shop.sql("CREATE ROLE nobody LOGIN;")
    try:
        taken.set(DRILL__URL=f"postgresql://nobody:{MARK}@127.0.0.1:{shop.port}/")
        done = taken("drill", "--json")
    finally:
        shop.sql("DROP ROLE nobody;")
    assert done.code == 1
    (proof,) = json.loads(done.out)["proofs"]
    assert "it cannot be loaded" in proof["flaws"][0]["what"]
