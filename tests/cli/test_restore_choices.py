"""Which backup is restored, which of its members, and from where: by the command line."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from conftest import Program, names
from fakes.bucket import OwnBucket
from fakes.fault_proxy import Fault, FaultProxy, Mishap, Seen

OLD = "shop-2025-11-08-01-00-00.zip"
LARGE = "storage/large.bin"


@pytest.fixture
def app(program: Program) -> Program:
    """Take a backup and date it back; then another, of other content."""
    rows(program, 1)
    write(program, "old")
    program.set(DATABASES__MAIN__URL="sqlite:///main.sqlite")
    assert program("run").code == 0
    for name in os.listdir(program.backups):
        ending = name.partition(".zip")[2]
        (program.backups / name).rename(program.backups / (OLD + ending))
    rows(program, 2)
    write(program, "new")
    assert program("run").code == 0
    return program


def write(program: Program, text: str) -> None:
    (program.root / "app/code.php").write_text(text)


def rows(program: Program, count: int) -> None:
    with closing(sqlite3.connect(program.root / "main.sqlite")) as database, database:
        database.execute("DROP TABLE IF EXISTS bookings")
        database.execute("CREATE TABLE bookings (price)")
        database.executemany("INSERT INTO bookings VALUES (?)", [(n,) for n in range(count)])


def restored_rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        [count] = database.execute("SELECT count(*) FROM bookings").fetchone()
    return int(count)


def out(app: Program, *arguments: str) -> Path:
    done = app("restore", "--to", str(app.folder / "out"), *arguments)
    assert done.code == 0, done.err
    return app.folder / "out"


def test_a_backup_is_chosen_by_name_or_by_a_moment(app: Program) -> None:
    [new] = [name for name in names(app.backups) if name != OLD]
    for arguments, chosen in (
        ((), new),
        ((OLD,), OLD),
        ((OLD.removesuffix(".zip"),), OLD),
        (("--at", "2025-11-08 01:00"), OLD),
        (("--at", "2025-12-24"), OLD),
        (("--at", "2025-11-08T02:00:00+01:00"), OLD),
        (("--at", "2999-01-01"), new),
    ):
        done = app("restore", "--to", "x", "--dry-run", *arguments)
        assert f" members of {chosen} would be written to " in done.out


def test_what_a_wrong_clock_dated_in_the_future_is_passed_over_by_all(app: Program) -> None:
    future = "shop-2199-01-01-00-00-00.zip"
    for name in (OLD, f"{OLD}.sha256"):
        (app.backups / name).rename(app.backups / name.replace(OLD, future))
    done = app("restore", "--to", str(app.folder / "out"))
    assert done.code == 0, done.err
    assert f"Passed over: {future} is dated in the future" in done.err
    assert (app.folder / "out/app/code.php").read_text() == "new"
    for proving in ("verify", "drill"):
        assert future not in app(proving).out


@pytest.mark.parametrize(
    ("how", "scope"),
    [("--only-db", "only-db"), ("--only-files", "only-files"), ("--exclude=*.php", "selected")],
)
def test_a_latest_that_is_not_full_is_told_to_be_so(program: Program, how: str, scope: str) -> None:
    rows(program, 1)
    program.set(DATABASES__MAIN__URL="sqlite:///main.sqlite")
    assert program("run", how).code == 0
    [name] = names(program.backups)
    done = program("restore", "--to", str(program.folder / "out"))
    assert done.code == 0, done.err
    assert f"Not a full backup: {name} is '{scope}'" in done.err
    assert program("restore", name, "--to", str(program.folder / "out")).err == ""
    if scope.startswith("only-"):
        asked = program("restore", f"--{scope}", "--to", str(program.folder / "out"))
        assert asked.err == ""


def test_a_moment_is_meant_in_the_zone_of_the_set(app: Program) -> None:
    app.set(TIMEZONE="America/New_York")
    done = app("restore", "--to", "x", "--at", "2025-11-08 00:59", "--dry-run")
    assert done.code == 1
    assert "There is no backup not after 2025-11-08 00:59:00 EST" in done.err


def test_only_files_and_only_dumps_are_restored_if_that_is_asked_for(app: Program) -> None:
    assert not (out(app, "--only-files") / "db-dumps").exists()
    assert (app.folder / "out/.env").exists()
    (app.folder / "out").rename(app.folder / "files")
    [folder] = out(app, "--only-db").iterdir()
    [dump] = folder.iterdir()
    assert restored_rows(dump) == 2


def test_the_database_as_of_yesterday_goes_in_place_and_no_file_is_touched(app: Program) -> None:
    done = app("restore", "--at", "2025-11-09", "--only-db", "--in-place")
    assert done.code == 0, done.err
    assert restored_rows(app.root / "main.sqlite") == 1
    assert (app.root / "app/code.php").read_text() == "new"


def test_files_go_in_place_and_no_database_is_touched(app: Program) -> None:
    done = app("restore", OLD, "--only-files", "--in-place")
    assert done.code == 0, done.err
    assert restored_rows(app.root / "main.sqlite") == 2
    assert (app.root / "app/code.php").read_text() == "old"


def test_what_is_damaged_is_left_out_if_that_is_asked_for(app: Program) -> None:
    content = os.urandom(50_000)
    (app.root / LARGE).write_bytes(content)
    assert app("run").code == 0
    [archive] = [name for name in names(app.backups) if content in bytes_of(app, name)]
    stored = bytearray(bytes_of(app, archive))
    stored[stored.index(content) + 9] ^= 1
    (app.backups / archive).chmod(0o600)
    (app.backups / archive).write_bytes(stored)
    refused = app("restore", archive, "--to", str(app.folder / "out"))
    assert refused.code == 1
    assert LARGE in refused.err
    done = app("restore", archive, "--to", str(app.folder / "out"), "--skip-damaged")
    assert done.code == 3
    assert f"Not restored: {LARGE}: " in done.err
    assert not (app.folder / "out" / LARGE).exists()
    assert (app.folder / "out/app/code.php").read_text() == "new"


def bytes_of(app: Program, name: str) -> bytes:
    return (app.backups / name).read_bytes()


def test_a_destination_that_dies_half_way_is_followed_by_the_next(
    program: Program, bucket: OwnBucket, proxy: FaultProxy
) -> None:
    """The bucket gives the directory, the manifest and some files, and then nothing more."""
    for number in range(8):
        (program.root / f"storage/{number}").write_bytes(os.urandom(3_000_000))
    program.lines = [line for line in program.lines if "_HERE_" not in line]
    program.keep_in(bucket, proxy.url)
    program.set(
        DESTINATIONS__SECOND__TYPE="local",
        DESTINATIONS__SECOND__PATH=str(program.backups),
        RETRY__TRIES="1",
    )
    assert program("run").code == 0

    def die_at_the_fifth_file(seen: Seen) -> Mishap | None:
        return Mishap(Fault.CUT_REPLY, 100_000) if seen.number > 8 else None

    proxy.plan(die_at_the_fifth_file)
    done = program("restore", "--to", str(program.folder / "out"))
    assert done.code == 0, done.err
    assert "Note: The copy at 'offsite' was given up: " in done.err
    for number in range(8):
        restored = (program.folder / f"out/storage/{number}").read_bytes()
        assert restored == (program.root / f"storage/{number}").read_bytes()

    only = program("restore", "--to", str(program.folder / "x"), "--destination", "offsite")
    assert only.code == 1
