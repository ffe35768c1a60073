"""What a run that was cut has left in the spool is delivered, once, before anything else is run."""

import pytest

from backupd.daemon.scheduler import Scheduler
from backupd.events import OperationFailed
from backupd.model import Scope
from fakes.bench import Bench, die_at_work, run_until_working, until_idle

SCHEDULED_DAY = ["run", "clean", "monitor"]


def leave_in_spool(bench: Bench, name: str, scope: Scope = Scope.FULL) -> None:
    """Lay an archive down as a run does that dies before its delivery is done."""
    spool = bench.app().spool
    spool.mkdir(parents=True, exist_ok=True)
    (spool / name).write_bytes(b"archive")
    record = f'{{"size": 7, "sha256": "0", "scope": "{scope}"}}'
    (spool / f"{name}.spooled").write_text(record)


def wait(bench: Bench, scheduler: Scheduler, minutes: int) -> None:
    for _ in range(minutes):
        bench.clock.wind(minutes=1)
        until_idle(scheduler)


def test_a_start_delivers_before_it_catches_up_anything(bench: Bench) -> None:
    bench.scheduler()
    leave_in_spool(bench, "shop-2026-03-01-01-00-00.zip")
    bench.clock.wind(hours=8)
    scheduler = bench.scheduler()
    wait(bench, scheduler, 5)
    assert bench.started == ["deliver", *SCHEDULED_DAY]


def test_a_start_with_an_empty_spool_delivers_nothing(bench: Bench) -> None:
    until_idle(bench.scheduler())
    assert bench.started == []


@pytest.mark.parametrize("code", [0, 1, 3])
def test_a_delivery_that_came_to_an_end_is_not_repeated_until_the_next_start(
    bench: Bench, code: int
) -> None:
    """A destination that is down leaves the archive in the spool; the next backup brings it."""
    bench.plan("deliver", f"exit {code}")
    leave_in_spool(bench, "shop-2026-03-01-01-00-00.zip")
    scheduler = bench.scheduler()
    wait(bench, scheduler, 200)
    assert bench.started == ["deliver", *SCHEDULED_DAY]


def test_a_delivery_that_keeps_dying_waits_longer_and_holds_nothing_up(bench: Bench) -> None:
    bench.plan("deliver", "kill")
    leave_in_spool(bench, "shop-2026-03-01-01-00-00.zip")
    wait(bench, bench.scheduler(), 20)
    wait(bench, bench.scheduler(), 20)
    assert bench.started == ["deliver", "deliver", "run"]


@pytest.mark.parametrize(
    ("name", "scope", "started"),
    [
        ("shop-2026-03-02-01-00-00.zip", Scope.FULL, ["run", "deliver"]),
        ("shop-2026-03-02-01-00-00.zip", Scope.ONLY_DB, ["run", "deliver", "run"]),
        ("shop-2026-03-01-01-00-00.zip", Scope.FULL, ["run", "deliver", "run"]),
    ],
)
def test_a_backup_that_died_in_its_delivery_is_delivered_and_not_taken_again(
    bench: Bench, name: str, scope: Scope, started: list[str]
) -> None:
    """Its archive has the time of its start; an older one, or one of less, stands for no other."""
    bench.plan("run", "hang")
    scheduler = bench.scheduler()
    until_idle(scheduler)
    bench.clock.wind(minutes=30)
    run_until_working(scheduler)
    leave_in_spool(bench, name, scope)
    assert scheduler.running is not None
    scheduler.running.kill()
    bench.plan("run", "exit 0")
    until_idle(scheduler)
    wait(bench, scheduler, 5)
    assert bench.started == started


def test_a_backup_that_died_with_the_daemon_is_delivered_and_not_taken_again(bench: Bench) -> None:
    bench.plan("run", "hang")
    scheduler = bench.scheduler()
    bench.clock.wind(minutes=30)
    die_at_work(scheduler)
    leave_in_spool(bench, "shop-2026-03-02-01-00-02.zip")
    bench.clock.wind(minutes=5)
    scheduler = bench.scheduler()
    wait(bench, scheduler, 5)
    assert bench.started[1:] == ["deliver"]
    assert "died together with the daemon" in str(bench.heard.of(OperationFailed)[0].error)
    assert scheduler.decide(bench.clock.now()).wanted == ()


def test_who_asks_is_told_that_a_delivery_waits(bench: Bench) -> None:
    leave_in_spool(bench, "shop-2026-03-01-01-00-00.zip")
    scheduler = bench.scheduler()
    wanted = scheduler.decide(bench.clock.now()).wanted
    assert [each.operation for each in wanted] == ["deliver"]
