"""The history."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backupd.errors import BackupdError
from backupd.history import History
from backupd.model import Condition, Outcome
from backupd.records import ArchiveRecord, CopyRecord, ProofRecord, Run, condition_of

AT = datetime(2025, 11, 8, 1, tzinfo=UTC)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "state" / "history.sqlite")


def a_run(number: int, outcome: Outcome = Outcome.SUCCEEDED, operation: str = "backup") -> Run:
    started_at = AT + timedelta(days=number)
    return Run(
        run_id=f"run {number}",
        operation=operation,
        started_at=started_at,
        ended_at=started_at + timedelta(minutes=1),
        outcome=outcome,
        facts={"bytes": number},
    )


def test_an_absent_history_is_empty(history: History) -> None:
    assert history.runs() == []
    assert history.last_success("backup") is None


def test_runs_come_back_as_they_were_the_newest_first(history: History) -> None:
    runs = [a_run(number) for number in range(3)]
    for run in runs:
        history.record_run(run)
    assert history.runs() == runs[::-1]
    assert history.runs(limit=1) == [runs[2]]


def test_a_run_of_a_time_when_the_clock_was_ahead_does_not_stay_the_last(history: History) -> None:
    for run in (a_run(700), a_run(1, Outcome.FAILED), a_run(0)):
        history.record_run(run)
    assert [run.run_id for run in history.runs()] == ["run 0", "run 1", "run 700"]
    assert history.last_success("backup") == a_run(0)


def test_of_each_operation_the_last_5000_runs_are_kept(history: History) -> None:
    history.record_run(a_run(-1, operation="drill"))
    history.record_run(a_run(0))
    with closing(sqlite3.connect(history.path)) as database, database:
        numbers = "WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n LIMIT 4999)"
        columns = "operation, started_at, ended_at, outcome, error, facts FROM runs, n"
        database.execute(
            f"{numbers} INSERT INTO runs SELECT 'bulk ' || n, {columns} WHERE operation = 'backup'"
        )
    assert history.runs("backup", limit=9000)[-1] == a_run(0)
    history.record_run(a_run(1))
    runs = history.runs("backup", limit=9000)
    assert (len(runs), runs[-1].run_id) == (5000, "bulk 1")
    assert history.runs("drill") == [a_run(-1, operation="drill")]


def test_the_last_success_is_no_failure_and_no_other_operation(history: History) -> None:
    history.record_run(a_run(1))
    history.record_run(a_run(2, Outcome.PARTIAL))
    history.record_run(a_run(3, Outcome.FAILED))
    history.record_run(a_run(4, operation="clean"))
    assert history.last_success("backup") == a_run(1)
    assert [run.run_id for run in history.runs("clean")] == ["run 4"]


def test_the_run_noted_last_is_found_though_the_clock_went_back(history: History) -> None:
    assert history.last_noted() is None
    history.record_run(a_run(9))
    history.record_run(a_run(1))
    assert history.last_noted() == a_run(1)


def test_what_is_known_of_an_archive_is_found_by_its_key(history: History) -> None:
    archive = ArchiveRecord(key="a.zip", encrypted=True, dumps={"main": 5, "users": 7})
    history.record_archive(archive)
    assert history.archives() == {"a.zip": archive}


def test_a_confirmed_copy_is_known_by_destination_and_key(history: History) -> None:
    copy = CopyRecord(destination="local", key="a.zip", at=AT, size=1, sha256="ab", scope="full")
    history.record_copy(copy)
    assert history.copies("local") == {"a.zip": copy}
    assert history.copies("offsite") == {}


def test_the_history_is_private(history: History) -> None:
    history.record_run(a_run(1))
    assert history.path.stat().st_mode & 0o777 == 0o600


def test_a_history_that_cannot_be_used_is_an_error_that_says_what_to_do(history: History) -> None:
    history.path.mkdir(parents=True)
    with pytest.raises(BackupdError, match="cannot be used") as raised:
        history.runs()
    assert "as the user that owns its state directory" in raised.value.hint


def test_the_last_verify_and_drill_of_each_backup_are_kept_newest_first(history: History) -> None:
    first = ProofRecord(
        destination="offsite",
        key="shop-2025-11-08-01-00-00.zip",
        operation="verify",
        at=datetime(2025, 11, 8, 4, tzinfo=UTC),
        percent=100,
        seconds=1.5,
        bytes=100,
        flaw="a member is damaged",
    )
    drill = replace(first, operation="drill", at=datetime(2025, 11, 9, tzinfo=UTC), flaw="")
    again = replace(first, at=datetime(2025, 11, 10, tzinfo=UTC), flaw="")
    for record in (first, drill, again):
        history.record_proof(record)
    assert history.proofs("offsite") == {first.key: [again, drill]}
    assert history.proofs("elsewhere") == {}
    assert condition_of([again, drill]) is Condition.PROVED
    assert condition_of([drill, first]) is Condition.PROVED
    assert condition_of([first, drill]) is Condition.DAMAGED
    sampled = replace(again, percent=5)
    assert condition_of([sampled, first]) is Condition.DAMAGED
    assert condition_of([sampled]) is Condition.UNPROVED


def test_what_was_found_of_an_earlier_copy_says_nothing_of_the_one_there_now(
    history: History,
) -> None:
    copy = CopyRecord(destination="local", key="a.zip", at=AT, size=1, sha256="ab", scope="full")
    bad = ProofRecord(
        destination="local",
        key="a.zip",
        operation="verify",
        at=AT + timedelta(hours=1),
        percent=100,
        seconds=1.5,
        bytes=100,
        flaw="a member is damaged",
    )
    history.record_copy(copy)
    history.record_proof(bad)
    history.record_proof(replace(bad, destination="offsite"))
    assert history.proofs("local") == {"a.zip": [bad]}
    history.record_copy(replace(copy, at=AT + timedelta(hours=2)))
    assert history.proofs("local") == {}
    assert history.proofs("offsite") != {}
