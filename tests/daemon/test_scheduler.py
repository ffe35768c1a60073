import select
import signal
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from backupd.daemon.scheduler import Scheduler
from backupd.events import OperationFailed, RunsMissed
from backupd.model import Outcome
from backupd.records import Run
from fakes.bench import Bench, die_at_work, run_until_working, until_idle


def pass_time(bench: Bench, scheduler: Scheduler, minutes: int) -> None:
    """Let a waking daemon's minutes pass."""
    for _ in range(minutes):
        bench.clock.wind(minutes=1)
        until_idle(scheduler)


def test_a_night_runs_everything_once_in_order(bench: Bench) -> None:
    scheduler = bench.scheduler()
    for _ in range(40):
        bench.clock.wind(minutes=5)
        until_idle(scheduler)
    assert bench.started == ["run", "clean", "monitor"]


def test_a_machine_that_slept_catches_up_once_and_in_order(bench: Bench) -> None:
    """The scheduler's process went on, the clock jumped from 00:50 to 08:00."""
    scheduler = bench.scheduler()
    pass_time(bench, scheduler, 1)
    bench.clock.wind(hours=8)
    for _ in range(3):
        until_idle(scheduler)
        bench.clock.wind(minutes=1)
    assert bench.started == ["run", "clean", "monitor"]


def test_a_restart_after_downtime_catches_up_once(bench: Bench) -> None:
    bench.scheduler()
    bench.clock.wind(days=3, hours=8)
    for _ in range(3):
        scheduler = bench.scheduler()
        for _ in range(4):
            until_idle(scheduler)
            bench.clock.wind(seconds=1)
    assert bench.started == ["run", "clean", "monitor"]
    missed = bench.heard.of(RunsMissed)
    assert [(each.operation, each.count) for each in missed] == [
        ("backup", 3),
        ("clean", 3),
        ("monitor", 3),
    ]


def test_without_catch_up_a_restart_runs_nothing_and_says_so(bench: Bench) -> None:
    bench.set(SCHEDULE__CATCH_UP="no")
    bench.scheduler()
    bench.clock.wind(hours=8)
    scheduler = bench.scheduler()
    until_idle(scheduler)
    assert bench.started == []
    assert len(bench.heard.of(RunsMissed)) == 3


def note_backup_by_hand(bench: Bench, scope: str) -> None:
    app = bench.app()
    app.history.record_run(
        Run(
            run_id="by-hand",
            operation="backup",
            started_at=app.clock.now(),
            ended_at=app.clock.now(),
            outcome=Outcome.SUCCEEDED,
            facts={"scope": scope},
        )
    )


def test_a_backup_by_hand_after_downtime_needs_no_catch_up(bench: Bench) -> None:
    bench.scheduler()
    bench.clock.wind(hours=1)
    note_backup_by_hand(bench, "full")
    until_idle(bench.scheduler())
    assert bench.started == []


def test_a_backup_by_hand_of_the_databases_only_does_not_count(bench: Bench) -> None:
    bench.scheduler()
    bench.clock.wind(hours=1)
    note_backup_by_hand(bench, "only-db")
    until_idle(bench.scheduler())
    assert bench.started == ["run"]


@pytest.mark.parametrize("code", [0, 1, 2, 3, 78])
def test_a_run_that_came_to_an_end_is_not_repeated(bench: Bench, code: int) -> None:
    bench.plan("run", f"exit {code}")
    scheduler = bench.scheduler()
    bench.clock.wind(minutes=30)
    until_idle(scheduler)
    until_idle(bench.scheduler())
    assert bench.started == ["run"]


def test_a_run_that_was_killed_is_told_and_run_once_more_at_once(bench: Bench) -> None:
    bench.plan("run", "kill")
    scheduler = bench.scheduler()
    pass_time(bench, scheduler, 35)
    assert bench.started == ["run", "run"]  # the third try is an hour away
    failures = bench.heard.of(OperationFailed)
    assert "killed by signal 9" in str(failures[0].error)
    assert failures[0].run_id == "r1"


def test_a_crash_looping_host_does_not_take_a_backup_at_each_start(bench: Bench) -> None:
    """Every start dies while its operation is at work; a start every ten minutes for six hours."""
    bench.plan("run", "hang")
    bench.scheduler()
    bench.clock.wind(minutes=30)
    for _ in range(36):
        scheduler = bench.scheduler()
        scheduler.tick()
        if scheduler.running is not None and scheduler.running.wanted.operation == "backup":
            die_at_work(scheduler)
        else:
            until_idle(scheduler)
        bench.clock.wind(minutes=10)
    assert bench.started.count("run") == 4  # at once, again, after one hour, after two more


def test_those_that_died_with_the_daemon_are_told_once(bench: Bench) -> None:
    bench.plan("run", "hang")
    scheduler = bench.scheduler()
    bench.clock.wind(minutes=30)
    die_at_work(scheduler)
    bench.clock.wind(minutes=1)
    bench.scheduler()
    failures = bench.heard.of(OperationFailed)
    assert [str(each.error) for each in failures] == ["It died together with the daemon."]


def test_one_that_outlived_the_daemon_is_not_told_to_be_dead(bench: Bench) -> None:
    bench.plan("run", "hang")
    scheduler = bench.scheduler()
    bench.clock.wind(minutes=30)
    die_at_work(scheduler)
    bench.clock.wind(minutes=1)
    with bench.app().lock.hold("backup", bench.clock.now()):
        bench.scheduler()
    assert bench.heard.of(OperationFailed) == []


def test_an_operation_that_finds_the_lock_taken_waits_for_it(bench: Bench) -> None:
    """By hand at 00:59, for three minutes: the run of 01:00 comes after it, and comes."""
    scheduler = bench.scheduler()
    bench.clock.wind(minutes=30)
    with scheduler.app.lock.hold("verify", bench.clock.now()):
        until_idle(scheduler)
        assert bench.started == []
        assert scheduler.blocked_by.startswith("verify (pid")
    until_idle(scheduler)
    assert bench.started == ["run"]


def test_an_operation_that_comes_second_to_the_lock_is_run_again(bench: Bench) -> None:
    """Another one took the lock between our look and our start."""
    bench.plan("run", "exit 75")
    scheduler = bench.scheduler()
    bench.clock.wind(minutes=30)
    scheduler.tick()
    assert scheduler.running is not None
    scheduler.running.process.wait()
    bench.plan("run", "exit 0")
    until_idle(scheduler)
    assert bench.started == ["run", "run"]


def test_a_clock_set_back_over_a_run_does_not_repeat_it(bench: Bench) -> None:
    scheduler = bench.scheduler()
    pass_time(bench, scheduler, 40)
    bench.clock.wind(hours=-1)
    pass_time(bench, scheduler, 45)
    assert bench.started == ["run"]


def test_a_clock_that_was_years_ahead_and_is_set_right_goes_on(bench: Bench) -> None:
    scheduler = bench.scheduler()
    bench.clock.wind(days=3000)
    until_idle(scheduler)
    bench.clock.wind(days=-3000)
    before = len(bench.started)
    pass_time(bench, scheduler, 40)
    assert bench.started[before:] == ["run"]


def test_an_operation_keeps_the_settings_it_started_with(bench: Bench) -> None:
    """The env file is edited, and even broken, before the run; nobody reloaded."""
    scheduler = bench.scheduler()
    bench.set(RETENTION__KEEP_ALL_DAYS="3")
    bench.clock.wind(minutes=30)
    until_idle(scheduler)
    (bench.folder / "backupd.env").write_text("BACKUP_NO_SUCH_THING=1\n")
    bench.clock.wind(hours=1)
    until_idle(scheduler)
    assert bench.log == ["run shop 7", "clean shop 7"]


def test_a_schedule_moved_to_an_earlier_hour_starts_nothing_today(bench: Bench) -> None:
    bench.set(SCHEDULE__BACKUP="06:00")
    scheduler = bench.scheduler()
    pass_time(bench, scheduler, 10)
    bench.set(SCHEDULE__BACKUP="00:35")
    scheduler.follow(bench.app())
    pass_time(bench, scheduler, 10)
    assert bench.started == []
    assert scheduler.next_starts(bench.clock.now())["backup"].hour == 0


def test_a_running_operation_tells_how_far_it_is(bench: Bench) -> None:
    bench.plan("run", "move")
    scheduler = bench.scheduler()
    bench.clock.wind(minutes=30)
    run_until_working(scheduler)
    running = scheduler.running
    assert running is not None
    while running.state(60).seconds_left is None:
        select.select(running.descriptors, [], [], 10)
        scheduler.tick()
    state = running.state(60)
    assert (state.operation, state.phase, state.total) == ("backup", "zipping", 1000)
    assert state.done > 0
    running.stop()
    while scheduler.running is not None:
        select.select(running.descriptors, [], [], 10)
        scheduler.collect()
    assert running.process.returncode == 130


def test_a_stopped_run_is_owed_to_the_next_start(bench: Bench) -> None:
    bench.plan("run", "move")
    scheduler = bench.scheduler()
    bench.clock.wind(minutes=30)
    run_until_working(scheduler)
    running = scheduler.running
    assert running is not None
    running.stop()
    while scheduler.running is not None:
        select.select(running.descriptors, [], [], 10)
        scheduler.collect()
    bench.plan("run", "exit 0")
    again = bench.scheduler()
    until_idle(again)
    until_idle(again)
    assert bench.started == ["run", "run"]


def test_killing_ends_what_the_operation_started_too(bench: Bench) -> None:
    bench.plan("run", "deaf")
    scheduler = bench.scheduler()
    bench.clock.wind(minutes=30)
    run_until_working(scheduler)
    running = scheduler.running
    assert running is not None
    running.kill()
    scheduler.collect()
    assert running.process.returncode == -signal.SIGKILL
    assert scheduler.running is None


def test_thirty_days_take_thirty_backups_and_leave_no_growth(bench: Bench) -> None:
    bench.set(SCHEDULE__CLEAN="0 0 1 1 *", SCHEDULE__MONITOR="0 0 1 1 *")
    scheduler = bench.scheduler()
    for _ in range(30):
        bench.clock.wind(minutes=31)  # 01:01 of the first day
        until_idle(scheduler)
        bench.clock.moment += timedelta(days=1) - timedelta(minutes=31)
        until_idle(scheduler)
    assert bench.started == ["run"] * 30


def test_a_run_that_was_killed_after_its_work_was_done_is_not_repeated(bench: Bench) -> None:
    """A signal that meets the interpreter on its way out."""
    bench.plan("run", "kill")
    scheduler = bench.scheduler()
    bench.clock.wind(minutes=30)
    scheduler.app.history.record_run(
        Run(
            run_id="r1",
            operation="backup",
            started_at=bench.clock.now() - timedelta(minutes=1),
            ended_at=bench.clock.now(),
            outcome=Outcome.SUCCEEDED,
        )
    )
    until_idle(scheduler)
    assert bench.started == ["run"]
    assert bench.heard.of(OperationFailed) == []


def test_while_the_diary_cannot_be_written_nothing_starts_and_the_daemon_goes_on(
    bench: Bench,
) -> None:
    """As on a full disk; when there is room again, what was due is caught up."""
    scheduler = bench.scheduler()
    with closing(sqlite3.connect(scheduler.diary.path)) as diary:
        diary.execute(
            "CREATE TRIGGER full BEFORE INSERT ON tries "
            "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
        pass_time(bench, scheduler, 30)
        assert bench.started == []
        failed = bench.heard.of(OperationFailed)
        assert {each.operation for each in failed} == {"backup"}
        assert "the disk is full" in str(failed[0].error)
        diary.execute("DROP TRIGGER full")
    pass_time(bench, scheduler, 6)
    assert bench.started == ["run"]
