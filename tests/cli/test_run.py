"""`backupd run` as its user meets it."""

import json
import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from backupd.clock import SystemClock
from backupd.lock import SetLock
from conftest import Program, names
from fakes.mounts import mounted, tmpfs
from fakes.nobody import as_nobody, belongs_to_nobody, enterable
from fakes.overheard import secret

MIB = 1024 * 1024
GUIDE = r"""Starting backup\.\.\.
Dumping database main\.\.\.
Determining files to backup\.\.\.
Zipping \d+ files\.\.\.
Backup created successfully \(Size: [\d.]+ KB\)
Delivering to here\.\.\.
Backup completed at: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d
"""
WRITER = """
import itertools, os, sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
database.execute("PRAGMA synchronous = OFF")
print("writing", flush=True)
start = time.monotonic()
for number in itertools.count():
    database.execute("INSERT INTO bookings (price) VALUES (?)", (number,))
    ahead = start + number / 500 - time.monotonic()
    time.sleep(max(ahead, 0))
    if os.getppid() == 1:
        break
"""


def archives(program: Program) -> list[Path]:
    return sorted(program.backups.glob("*.zip"), key=lambda path: path.stat().st_mtime_ns)


def member_names(program: Program) -> list[str]:
    with zipfile.ZipFile(archives(program)[-1]) as archive:
        return archive.namelist()


@pytest.fixture
def database(program: Program) -> Path:
    path = program.root / "database.sqlite"
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute("PRAGMA journal_mode = WAL")
        opened.execute("CREATE TABLE bookings (id INTEGER PRIMARY KEY, price REAL)")
        rows = ((number,) for number in range(5000))
        opened.executemany("INSERT INTO bookings (price) VALUES (?)", rows)
    program.set(DATABASES__MAIN__URL="sqlite:///database.sqlite")
    return path


def test_it_prints_the_lines_of_the_guide(program: Program, database: Path) -> None:
    done = program("run")
    assert done.code == 0
    assert re.fullmatch(GUIDE, done.out)
    assert done.err == ""


def test_the_archive_has_files_dumps_and_what_is_ours(program: Program, database: Path) -> None:
    program("run")
    found = member_names(program)
    assert found[0].startswith("db-dumps/sqlite-main-")
    assert found[-2:] == ["RESTORE.txt", ".backupd/manifest.json"]
    assert {".env", "app/code.php", "storage/app/documents/a.pdf"} <= set(found)
    assert not {"vendor/x.php", "database.sqlite", "database.sqlite-wal"} & set(found)


def test_beside_the_archive_stands_what_sha256sum_reads(program: Program) -> None:
    program("run")
    [checksum] = program.backups.glob("*.sha256")
    command = ["sha256sum", "-c", checksum.name]
    assert subprocess.run(command, cwd=program.backups, check=False).returncode == 0


def test_a_database_under_500_writes_a_second_comes_back_whole(
    program: Program, database: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", WRITER, str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        done = program("run")
        writer.kill()
    assert done.code == 0
    with zipfile.ZipFile(archives(program)[0]) as archive:
        dump = archive.extract(archive.namelist()[0], tmp_path)
    with closing(sqlite3.connect(dump)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        [(rows,)] = copy.execute("SELECT count(*) FROM bookings").fetchall()
        assert rows >= 5000


def test_only_db_and_only_files_take_half(program: Program, database: Path) -> None:
    assert program("run", "--only-db").code == 0
    assert "app/code.php" not in member_names(program)
    assert program("run", "--only-files", "--suffix", "files").code == 0
    assert archives(program)[-1].name.endswith("-files.zip")
    assert not any(name.startswith("db-dumps/") for name in member_names(program))


def test_only_to_db_and_exclude_choose(program: Program, database: Path, tmp_path: Path) -> None:
    program.set(
        DESTINATIONS__THERE__TYPE="local",
        DESTINATIONS__THERE__PATH=str(tmp_path / "there"),
        DATABASES__OTHER__URL="sqlite:///other.sqlite",
    )
    done = program("run", "--db", "main", "--only-to", "here", "--exclude", "*.pdf")
    assert done.code == 0
    assert not (tmp_path / "there").exists()
    assert "storage/app/documents/a.pdf" not in member_names(program)
    assert sum(name.startswith("db-dumps/") for name in member_names(program)) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only-db", "--only-files"), "exclude each other"),
        (("--only-files", "--db", "main"), "takes no --db"),
        (("--only-to", "nowhere"), "There is no destination 'nowhere'. There is: here."),
        (("--db", "none"), "There is no database 'none'. There is: none is set."),
        (("--suffix", "a/b"), "words of letters, digits"),
        (("--nonsense",), "No such option"),
    ],
)
def test_bad_usage_is_2_and_says_what_is_there(
    program: Program, arguments: tuple[str, ...], said: str
) -> None:
    done = program("run", *arguments)
    assert done.code == 2
    assert said in done.err
    assert not program.backups.exists()


def test_json_is_one_document_and_nothing_else(program: Program) -> None:
    for arguments in (("run", "--json"), ("--json", "run")):
        done = program(*arguments)
        assert done.code == 0
        report = json.loads(done.out)
        assert report["outcome"] == "succeeded"
        assert report["copies"][0]["destination"] == "here"
        assert done.err == ""


def test_quiet_says_nothing_and_verbose_logs_every_step(program: Program) -> None:
    assert (program("run", "--quiet").out, program("run", "--quiet").err) == ("", "")
    verbose = program("--verbose", "run")
    assert "archive built" in verbose.err
    assert "delivered" in verbose.err


def carried(program: Program, *more: str) -> tuple[int, int]:
    report = json.loads(program("run", "--json", *more).out)
    return report["archive"]["carried"], report["archive"]["members"]


def test_what_did_not_change_is_carried_over_unless_all_is_asked_for(program: Program) -> None:
    """Files that were written to just before the first run are not: hence some that are older."""
    program.set(SOURCE__INCLUDE=str(Path(json.__file__).parent), SOURCE__EXCLUDE="__pycache__")
    first, (again, members), (full, _) = (
        carried(program),
        carried(program),
        carried(program, "--full"),
    )
    assert first[0] == 0
    assert again > members // 2
    assert full == 0


def test_names_are_hidden_when_asked_for(program: Program) -> None:
    program.set(ARCHIVE_PASSWORD=secret("archive"), ENCRYPTION__HIDE_NAMES="yes")
    assert program("run").code == 0
    assert member_names(program) == ["contents.zip", "RESTORE.txt"]
    assert program("verify", "latest").code == 0


def test_no_settings_at_all_back_up_the_current_directory(program: Program) -> None:
    environment = {**program.environment, "BACKUPD_ENV_FILE": ""}
    command = program.command("run")
    done = subprocess.run(command, env=environment, cwd=program.root, check=False)
    assert done.returncode == 0
    [archive] = (program.state / "backups").glob("application-*.zip")
    assert zipfile.ZipFile(archive).testzip() is None


def test_wrong_settings_are_78_and_all_named_and_nothing_starts(program: Program) -> None:
    program.set(RETENTION__KEEP_ALL_DAYS="x", TIMEZONE="nowhere", NONSENSE="1")
    done = program("run")
    assert done.code == 78
    assert done.err.count("Error: BACKUP_") == 3
    assert "Traceback" not in done.err
    assert not program.state.exists()


def test_a_held_lock_is_75_and_names_its_holder(program: Program) -> None:
    with SetLock(program.state / "shop" / "lock").hold("backup", SystemClock().now()):
        done = program("run")
    assert done.code == 75
    assert f"Operation 'backup' (pid {os.getpid()})" in done.err


def test_a_destination_that_fails_is_3_and_the_other_has_its_copy(program: Program) -> None:
    (program.folder / "a file").touch()
    program.set(
        DESTINATIONS__BROKEN__TYPE="local",
        DESTINATIONS__BROKEN__PATH=f"'{program.folder / 'a file' / 'x'}'",
    )
    done = program("run")
    assert done.code == 3
    assert "broken" in done.err
    assert "Backup ended at" in done.out
    assert len(archives(program)) == 1


def test_a_file_that_cannot_be_read_is_3_and_is_named() -> None:
    with enterable() as program:
        (program.root / "closed").write_text("secret")
        (program.root / "closed").chmod(0)
        belongs_to_nobody(program.folder)
        done = as_nobody(program, "run")
        assert done.code == 3, done.err
        assert "Left out (unreadable): closed" in done.err
        monitored = as_nobody(program, "monitor")
        assert monitored.code == 1
        assert "lacks what could not be read: closed." in monitored.out
        assert len(archives(program)) == 1


def test_an_unreadable_file_that_may_be_missing_is_named_and_a_pipe_is_counted() -> None:
    with enterable() as program:
        program.set(SOURCE__IGNORE_UNREADABLE="yes")
        (program.root / "closed").write_text("secret")
        (program.root / "closed").chmod(0)
        os.mkfifo(program.root / "pipe")
        belongs_to_nobody(program.folder)
        done = as_nobody(program, "run")
    assert (done.code, done.err) == (0, "Left out (unreadable): closed\n")
    assert "1 thing was left out without harm" in done.out


def large_application(program: Program, size: int) -> None:
    with (program.root / "large").open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB // 4) * 4)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_zipping_cleans_up(program: Program, how: signal.Signals) -> None:
    large_application(program, 300 * MIB)
    with program.start("run") as running:
        wait_for_partial(program)
        running.send_signal(how)
        _, err = running.communicate()
    assert running.returncode == 130
    assert "asked to stop" in err
    assert list((program.state / "shop" / "spool").iterdir()) == []
    assert not program.backups.exists() or archives(program) == []


def test_kill_9_in_the_middle_leaves_nothing_that_counts_and_the_next_run_sweeps(
    program: Program,
) -> None:
    large_application(program, 300 * MIB)
    with program.start("run") as running:
        wait_for_partial(program)
        running.kill()
    spool = program.state / "shop" / "spool"
    assert [path.suffix for path in spool.glob("*.partial")] == [".partial"]
    assert json.loads(program("list", "--json").out)[0]["count"] == 0
    done = program("run")
    assert done.code == 0
    assert "Swept what a dead run left" in done.out
    assert list(spool.iterdir()) == []
    assert json.loads(program("list", "--json").out)[0]["count"] == 1


def wait_for_partial(program: Program) -> None:
    """Wait until the archive is being written."""
    spool = program.state / "shop" / "spool"
    while not any(path.stat().st_size > MIB for path in spool.glob("*.partial")):
        pass


def test_a_gibibyte_takes_less_than_150_mib_of_memory(program: Program) -> None:
    large_application(program, 1024 * MIB)
    report = program.folder / "report"
    done = subprocess.run(
        ["/usr/bin/env", sys.executable, "-c", MEASURE, str(report), *program.command("run")],
        env=program.environment,
        check=False,
    )
    assert done.returncode == 0
    assert int(report.read_text()) < 150 * 1024


MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""


def test_a_full_spool_is_said_and_leaves_nothing(program: Program, tmp_path: Path) -> None:
    with mounted(tmp_path / "small", *tmpfs("8m")) as spool:
        large_application(program, 64 * MIB)
        program.set(SPOOL=str(spool))
        done = program("run")
        assert done.code == 1
        assert "No space left on device" in done.err
        assert list(spool.iterdir()) == []
        assert not program.backups.exists()


def test_help_imports_nothing_heavy(program: Program) -> None:
    """It is the first thing that anybody types, and shells ask it for completions."""
    assert program("--help").code == 0
    heavy = {"botocore", "pydantic", "rich", "structlog", "apscheduler", "sqlite3", "cryptography"}
    code = "import sys, backupd.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())


def test_all_that_is_delivered_is_private_and_needs_no_place_but_the_spool(
    program: Program,
) -> None:
    nowhere = {"TMPDIR": str(program.folder / "nowhere")}
    assert program("run", "--only-files", **nowhere).code == 0
    (archive,) = names(program.backups)
    assert program("pin", archive, **nowhere).code == 0
    again = program.folder / "again"
    program.set(DESTINATIONS__AGAIN__TYPE="local", DESTINATIONS__AGAIN__PATH=str(again))
    assert program("deliver", **nowhere).code == 0
    assert os.listdir(program.state / "shop" / "spool") == []
    stored = [*program.backups.iterdir(), *again.iterdir()]
    assert len(stored) == 8
    assert {stat.S_IMODE(path.stat().st_mode) for path in stored} == {0o600}


@pytest.mark.parametrize("record", [None, b"", b'{"size": 1'])
def test_an_archive_of_less_stays_one_though_the_spools_record_of_it_is_lost(
    program: Program, record: bytes | None
) -> None:
    disk = program.folder / "disk"
    program.set(DESTINATIONS__USB__TYPE="local", DESTINATIONS__USB__PATH=f"{disk}/backups")
    program.set(ARCHIVE_PASSWORD=secret("archive"))
    assert program("run", "--only-files").code == 3
    (lost,) = (program.state / "shop" / "spool").glob("*.spooled")
    lost.unlink() if record is None else lost.write_bytes(record)
    disk.mkdir()
    assert program("deliver").code == 0
    (archive,) = (disk / "backups").glob("*.zip")
    assert archive.with_name(f"{archive.name}.only-files").exists()
