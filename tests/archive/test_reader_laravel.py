"""Archives that laravel-backup made: `laravel/make.php` made these with PHP 8.2 and libzip."""

import sqlite3
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from backupd.errors import WrongPasswordError
from backupd.model import MemberKind, Outcome
from backupd.operations.restore import Restore
from backupd.operations.retrieve import Reading
from backupd.operations.select import Selection
from fakes.archives import view_of

HERE = Path(__file__).parent / "laravel"
PLAIN, ENCRYPTED = (f"eli-voyages-2025-11-{day}-01-00-00.zip" for day in ("08", "09"))
PARIS = ZoneInfo("Europe/Paris")


def restoring(key: str, target: Path, password: str | None = None) -> Restore:
    return Restore(
        copies=(view_of(HERE, key=key),),
        target=target,
        selection=Selection(),
        reading=Reading(password=password, zone=PARIS),
    )


@pytest.mark.parametrize(("key", "password"), [(PLAIN, None), (ENCRYPTED, "secret")])
def test_it_restores_and_says_that_there_is_no_manifest(
    tmp_path: Path, key: str, password: str | None
) -> None:
    report = restoring(key, tmp_path / "out", password).run(lambda _: None)
    assert report.outcome is Outcome.SUCCEEDED
    assert not report.plan.has_manifest
    assert report.dumps == ("db-dumps/sqlite-database.sqlite",)
    out = tmp_path / "out"
    assert (out / ".env").stat().st_mode & 0o777 == 0o600
    assert (out / "storage/app/doc.txt").read_text().splitlines()[-1] == "500"
    assert (out / "storage/app/empty").is_dir()
    assert (out / "storage/app/empty").stat().st_mode & 0o777 == 0o755
    with closing(sqlite3.connect(out / "db-dumps/sqlite-database.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM users").fetchone() == (1,)


def test_its_times_are_those_of_the_clock_of_its_writer(tmp_path: Path) -> None:
    restoring(PLAIN, tmp_path / "out").run(lambda _: None)
    mtime = (tmp_path / "out/app/a.php").stat().st_mtime
    assert mtime == 1762560000.0  # 2025-11-08 01:00 in Paris


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_wrong_password_is_noticed_before_anything_is_written(
    tmp_path: Path, password: str | None
) -> None:
    with pytest.raises(WrongPasswordError):
        restoring(ENCRYPTED, tmp_path / "out", password).run(lambda _: None)
    assert not (tmp_path / "out").exists()


def test_a_second_run_finds_everything_there(tmp_path: Path) -> None:
    restoring(PLAIN, tmp_path / "out").run(lambda _: None)
    plan = restoring(PLAIN, tmp_path / "out").plan(lambda _: None)
    assert plan.unchanged == 4
    assert not plan.in_the_way


def test_its_dumps_are_known_as_such(tmp_path: Path) -> None:
    archive = Reading(zone=PARIS).open(view_of(HERE, key=PLAIN))
    dumps = [each.entry.path for each in archive.members if each.entry.kind is MemberKind.DUMP]
    assert dumps == ["db-dumps/sqlite-database.sqlite"]
