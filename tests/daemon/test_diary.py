import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backupd.daemon.diary import Diary
from backupd.daemon.schedule import Past
from backupd.errors import BackupdError

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    diary = Diary(tmp_path / "state" / "diary.sqlite")
    diary.begin("backup", "01:00", NOW - DAY)
    return diary


def test_a_new_line_counts_from_now(diary: Diary) -> None:
    assert diary.past("backup", NOW).settled == NOW - DAY


def test_the_same_line_after_a_restart_counts_from_where_it_was(diary: Diary) -> None:
    assert not diary.begin("backup", "01:00", NOW)
    assert diary.past("backup", NOW).settled == NOW - DAY


def test_a_changed_line_counts_from_now_so_that_an_edit_runs_nothing(diary: Diary) -> None:
    assert diary.begin("backup", "00:30", NOW)
    assert diary.past("backup", NOW).settled == NOW


def test_a_run_that_ended_settles_its_due_time(diary: Diary) -> None:
    diary.started("backup", NOW, NOW + HOUR)
    diary.ended("backup", NOW)
    assert diary.past("backup", NOW + DAY).settled == NOW
    assert diary.past("backup", NOW + DAY).unfinished == ()


def test_a_run_that_never_ended_is_known_to_a_restart(diary: Diary) -> None:
    diary.started("backup", NOW, NOW + HOUR)
    assert Diary(diary.path).past("backup", NOW + DAY).unfinished == ((NOW, NOW + HOUR),)


def test_a_run_that_could_not_begin_is_forgotten(diary: Diary) -> None:
    diary.started("backup", NOW, NOW + HOUR)
    diary.withdrawn("backup", NOW, NOW + HOUR)
    assert diary.past("backup", NOW + DAY).unfinished == ()


def test_what_was_given_up_is_done_with(diary: Diary) -> None:
    diary.started("backup", NOW - HOUR, NOW - HOUR)
    diary.given_up("backup", NOW, NOW + HOUR)
    assert Diary(diary.path).past("backup", NOW + DAY) == Past(settled=NOW)


def test_what_a_wrong_clock_wrote_is_not_believed(diary: Diary) -> None:
    """The machine woke up in 2035 and was set right: it must not wait until then."""
    future = NOW + 3000 * DAY
    diary.started("backup", future, future)
    diary.ended("backup", future)
    diary.given_up("backup", future, future)
    assert diary.past("backup", NOW).settled == NOW - DAY
    diary.begin("clean", "02:00", future)
    assert diary.begin("clean", "02:00", NOW)
    assert diary.past("clean", NOW).settled == NOW


def test_one_operations_many_runs_do_not_push_out_anothers(diary: Diary) -> None:
    diary.begin("drill", "0 4 1 * *", NOW)
    diary.started("drill", NOW, NOW)
    diary.ended("drill", NOW)
    for minute in range(150):
        due = NOW + timedelta(minutes=minute)
        diary.started("backup", due, due)
        diary.ended("backup", due)
    assert diary.past("drill", NOW + DAY).settled == NOW
    assert diary.past("backup", NOW + DAY).settled == NOW + timedelta(minutes=149)


def test_rows_are_bounded_however_often_it_runs(diary: Diary) -> None:
    for number in range(130):
        due = NOW + number * DAY
        diary.started("backup", due, due)
        diary.ended("backup", due)
        diary.given_up("backup", due, due)
    with closing(sqlite3.connect(diary.path)) as database:
        assert database.execute("SELECT count(*) FROM tries").fetchone() == (100,)


def test_a_diary_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "diary.sqlite"
    path.mkdir()
    with pytest.raises(BackupdError, match=r"diary\.sqlite cannot be used"):
        Diary(path).past("backup", NOW)
