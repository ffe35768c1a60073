"""What the operations that look after backups are told by the settings and the past."""

from datetime import UTC, datetime, timedelta

from backupd import care
from backupd.events import RunsMissed
from backupd.model import Outcome
from backupd.observers.record import Recorder
from backupd.records import Run
from backupd.settings import load_settings
from backupd.wiring import App
from conftest import Program

NIGHT = datetime(2025, 11, 8, 1, tzinfo=UTC)


def app_of(program: Program) -> App:
    return App(load_settings(program.environment), program.environment)


def miss(app: App, operation: str, night: datetime) -> None:
    event = RunsMissed(
        operation=operation,
        set_name="shop",
        first=night,
        last=night,
        count=1,
        at=night + timedelta(hours=7),
    )
    Recorder(app.history)(event)


def test_missed_backups_are_watched_until_one_succeeds(program: Program) -> None:
    app = app_of(program)
    miss(app, "backup", NIGHT)
    miss(app, "clean", NIGHT)
    [watched] = care.monitor(app).watched
    assert watched.missed_runs == (NIGHT,)
    later = NIGHT + timedelta(days=1)
    app.history.record_run(
        Run(
            run_id="later",
            operation="backup",
            started_at=later,
            ended_at=later,
            outcome=Outcome.SUCCEEDED,
        )
    )
    [watched] = care.monitor(app).watched
    assert watched.missed_runs == ()


def test_the_doctor_says_when_everything_is_due_next(program: Program) -> None:
    out = program("doctor").out
    assert all(f"The next {each}" in out for each in ("backup", "clean", "monitor", "drill"))
