from pathlib import Path

import pytest

from backupd.history import History
from backupd.model import DatabaseFacts
from backupd.row_log import RowLog


@pytest.fixture
def log(tmp_path: Path) -> RowLog:
    return RowLog(History(tmp_path / "history.sqlite"))


def facts(rows: int) -> DatabaseFacts:
    return DatabaseFacts(
        name="shop", kind="mysql", tables={"t": rows}, warnings=("w",), left_out=("a", "b")
    )


def test_an_absent_log_is_empty(log: RowLog) -> None:
    assert log.databases() == {}


def test_what_was_noted_comes_back_as_it_was_the_newest_first(log: RowLog) -> None:
    log.record("old.zip", [facts(1)])
    log.record("new.zip", [facts(2), facts(3)])
    log.record("files.zip", [])
    assert list(log.databases().items()) == [
        ("new.zip", (facts(2), facts(3))),
        ("old.zip", (facts(1),)),
    ]


def test_it_does_not_grow_for_ever(log: RowLog) -> None:
    for number in range(120):
        log.record(f"{number}.zip", [facts(number)])
    kept = list(log.databases())
    assert (len(kept), kept[0], kept[-1]) == (100, "119.zip", "20.zip")
