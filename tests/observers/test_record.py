"""What the history is told of copies, and when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backupd.events import CopyEnded, CopyFound
from backupd.history import History
from backupd.model import Scope, StoredObject
from backupd.observers.record import Recorder
from backupd.records import CopyRecord, ProofRecord
from backupd.reports import Copy

AT = datetime(2025, 11, 8, 1, tzinfo=UTC)
KEY = "shop-2025-11-08-01-00-00.zip"
COPY = Copy(
    destination="offsite",
    key=KEY,
    scope=Scope.ONLY_DB,
    stored=StoredObject(key=KEY, size=5, modified_at=AT, sha256="ab"),
)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.sqlite")


def test_a_copy_is_known_as_soon_as_it_is_confirmed_whatever_becomes_of_the_run(
    history: History,
) -> None:
    Recorder(history)(CopyEnded(copy=COPY, at=AT))
    known = CopyRecord(destination="offsite", key=KEY, at=AT, size=5, sha256="ab", scope="only-db")
    assert history.copies("offsite") == {KEY: known}


def test_a_delivery_that_failed_is_no_copy(history: History) -> None:
    Recorder(history)(CopyEnded(copy=replace(COPY, stored=None, error="down"), at=AT))
    assert history.copies("offsite") == {}


def test_a_copy_that_is_found_does_not_hide_that_it_was_found_damaged_before(
    history: History,
) -> None:
    damaged = ProofRecord(
        destination="offsite",
        key=KEY,
        operation="verify",
        at=AT,
        percent=100,
        seconds=1,
        bytes=5,
        flaw="cut",
    )
    history.record_proof(damaged)
    Recorder(history)(CopyFound(copy=COPY, at=AT + timedelta(hours=1)))
    assert history.proofs("offsite") == {KEY: [damaged]}


def test_a_copy_that_is_found_is_noted_once_so_that_proofs_of_it_stay(history: History) -> None:
    record = Recorder(history)
    for hours in (0, 1, 2):
        record(CopyFound(copy=COPY, at=AT + timedelta(hours=hours)))
    assert history.copies("offsite")[KEY].at == AT
