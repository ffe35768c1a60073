"""What is on the disk as one status, and as figures for Prometheus."""

import re
import subprocess
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from prometheus_client.parser import text_string_to_metric_families

from backupd.errors import DumpError
from backupd.events import CopyEnded, Event, OperationEnded
from backupd.history import History
from backupd.lock import SetLock
from backupd.observers.group import ObserverGroup
from backupd.observers.metrics import MetricsFile
from backupd.observers.notify import Routes, Telling
from backupd.observers.record import Recorder
from backupd.operations.figures import METRICS, metrics_text
from backupd.operations.status import Place, Records, Status, look
from backupd.outbox import Outbox
from backupd.records import Sighting
from backupd.reports import BackupReport
from backupd.telling.language import Language
from backupd.telling.messages import Voice
from backupd.telling.notices import Policy, Topic
from fakes.accounts import MOMENT, backed_up, ended, failed, started
from fakes.promtool import promtool
from pages import REFERENCE, rows, section

DAY = timedelta(days=1)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(
        history=History(tmp_path / "history.sqlite"),
        outbox=Outbox(tmp_path / "outbox.sqlite"),
        lock=SetLock(tmp_path / "lock"),
    )


def see(records: Records, *events: Event) -> None:
    language = Language(code="en", zone=ZoneInfo("UTC"))
    tell = Telling(
        outbox=records.outbox,
        history=records.history,
        policy=Policy(),
        voice=Voice(set_name="shop", host="web1", language=language),
        routes=Routes(topics={topic: ["webhook"] for topic in Topic}),
        wake=lambda: None,
    )
    observe = ObserverGroup([Recorder(records.history), tell])
    for event in events:
        if isinstance(event, OperationEnded) and isinstance(event.report, BackupReport):
            for copy in event.report.copies:
                observe(CopyEnded(copy=copy, at=event.at))
        observe(event)


def status_of(records: Records) -> Status:
    return look("shop", ["local", "offsite"], records, MOMENT + 2 * DAY)


def test_a_new_set_has_an_empty_status_and_makes_no_file(records: Records, tmp_path: Path) -> None:
    status = status_of(records)
    assert [place.newest for place in status.destinations] == [None, None]
    assert all(state.last is None for state in status.operations)
    assert list(tmp_path.iterdir()) == []


def test_a_status_tells_what_ran_what_is_copied_what_is_wrong_and_what_waits(
    records: Records,
) -> None:
    see(records, started(), backed_up(), backed_up(MOMENT + DAY, down=["offsite"]))
    status = status_of(records)
    backup = status.operations[0]
    assert backup.last is not None
    assert backup.last_success is not None
    assert (backup.last.outcome, backup.last_success.started_at) == ("partial", MOMENT)
    local, offsite = status.destinations
    assert local.newest is not None
    assert offsite.newest is not None
    assert local.newest.at - offsite.newest.at == DAY
    assert [each.problem.place for each in status.problems] == ["offsite"]
    assert [each.event for each in status.waiting] == ["backup_succeeded", "backup_partial"]


def test_a_running_operation_is_in_the_status(records: Records) -> None:
    with records.lock.hold("clean", MOMENT):
        assert status_of(records).running["operation"] == "clean"
    assert status_of(records).running == {}


def everything(records: Records) -> str:
    """Give the figures of a set of which all is known."""
    see(
        records,
        started(),
        backed_up(),
        ended(MOMENT, "clean"),
        failed(DumpError("x"), MOMENT + DAY),
    )
    run = records.history.runs("backup")[-1]
    records.history.record_sighting(
        Sighting(
            destination="local",
            at=MOMENT,
            reachable=True,
            healthy=True,
            count=5,
            bytes=225_000_000,
            newest=MOMENT,
        )
    )
    records.history.record_sighting(
        Sighting(destination="offsite", at=MOMENT, reachable=False, healthy=False)
    )
    status = status_of(records)
    facts: dict[str, int | float | str] = {
        "backup": "x.zip",
        "bytes": 1,
        "content_bytes": 2,
        "members": 3,
        "carried_members": 2,
    }
    full = type(run)(
        run_id="x",
        operation="backup",
        started_at=MOMENT,
        ended_at=MOMENT,
        outcome=run.outcome,
        facts=facts,
    )
    places = tuple(
        Place(destination=each.destination, newest=each.newest, seen=each.seen, verified_at=MOMENT)
        for each in status.destinations
    )
    return metrics_text(
        Status(
            set_name=status.set_name,
            at=status.at,
            operations=status.operations,
            destinations=places,
            problems=status.problems,
            waiting=status.waiting,
            runs=(full,),
        )
    )


def test_the_figures_are_read_by_the_client_library(records: Records) -> None:
    families = {each.name: each for each in text_string_to_metric_families(everything(records))}
    assert set(families) == {metric.name for metric in METRICS}
    for metric in METRICS:
        assert families[metric.name].type == "gauge"
        assert families[metric.name].documentation == metric.help
    backups = families["backupd_destination_backups"].samples
    assert [(each.labels, each.value) for each in backups] == [
        ({"set": "shop", "destination": "local"}, 5)
    ]
    healthy = families["backupd_destination_healthy"].samples
    assert [each.value for each in healthy] == [1, 0]
    assert families["backupd_problems"].samples[0].value == 1


def test_promtool_finds_nothing_to_say(records: Records) -> None:
    done = subprocess.run(
        [promtool(), "check", "metrics"],
        input=everything(records),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_label_may_hold_any_character(records: Records) -> None:
    name = 'a"b\\c\nd'
    text = metrics_text(look(name, [], records, MOMENT))
    (family, *_) = text_string_to_metric_families(text)
    assert family.samples[0].labels["set"] == name


def test_every_metric_is_in_the_docs_with_its_labels_and_no_other(records: Records) -> None:
    page = REFERENCE / "metrics.md"
    documented = {
        row[0].strip("`"): (set(re.findall(r"`(\w+)`", row[1])), row[2])
        for row in rows(section(page, "Metrics"))
    }
    families = text_string_to_metric_families(everything(records))
    used = {each.name: (set(each.samples[0].labels), each.documentation) for each in families}
    assert documented == used


def test_the_file_is_renewed_at_the_end_of_an_operation_and_readable_by_all(
    tmp_path: Path,
) -> None:
    path = tmp_path / "backupd-shop.prom"
    observe = MetricsFile(path=path, text=lambda: "x 1\n")
    observe(started())
    assert not path.exists()
    observe(ended())
    assert path.read_text() == "x 1\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_figures_that_cannot_be_had_leave_the_old_ones(tmp_path: Path) -> None:
    path = tmp_path / "backupd-shop.prom"
    path.write_text("old 1\n")

    def text() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        MetricsFile(path=path, text=text)(ended())
    assert path.read_text() == "old 1\n"
    assert list(tmp_path.iterdir()) == [path]
