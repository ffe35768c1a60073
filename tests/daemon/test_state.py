from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from backupd.daemon.state import DaemonState, RunningOperation, from_json, status_line, to_json

NOW = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)

IDLE = DaemonState(
    set_name="shop",
    version="1",
    pid=1,
    started_at=NOW,
    settings_read_at=NOW,
    next_runs={"clean": NOW + timedelta(minutes=90), "drill": NOW + timedelta(days=30)},
)
AT_WORK = RunningOperation(
    operation="backup",
    due=NOW,
    started_at=NOW,
    phase="delivering to offsite",
    done=43,
    total=100,
    seconds_left=121,
)


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (IDLE, "idle; next: clean 02:00"),
        (
            replace(IDLE, running=AT_WORK),
            "backup: delivering to offsite, 43 %, 2 min left; next: clean 02:00",
        ),
        (
            replace(IDLE, running=replace(AT_WORK, seconds_left=None, total=0)),
            "backup: delivering to offsite; next: clean 02:00",
        ),
        (
            replace(IDLE, running=replace(AT_WORK, seconds_left=5)),
            "backup: delivering to offsite, 43 %, 5 s left; next: clean 02:00",
        ),
        (
            replace(IDLE, running=replace(AT_WORK, seconds_left=7500)),
            "backup: delivering to offsite, 43 %, 2 h 5 min left; next: clean 02:00",
        ),
        (
            replace(IDLE, running=replace(AT_WORK, stalled=True)),
            "backup: delivering to offsite, stalled; next: clean 02:00",
        ),
        (
            replace(IDLE, waiting=("backup", "clean"), blocked_by="verify (pid 7)"),
            "backup, clean: waiting for verify (pid 7); next: clean 02:00",
        ),
        (
            replace(IDLE, next_runs={"drill": NOW + timedelta(days=30)}),
            "idle; next: drill 2026-04-01 00:30",
        ),
    ],
)
def test_the_status_line_says_what_is_done_how_far_and_what_comes_next(
    state: DaemonState, line: str
) -> None:
    assert status_line(state, NOW, UTC) == line


def test_the_status_line_tells_the_sets_own_time() -> None:
    assert status_line(IDLE, NOW, ZoneInfo("Asia/Kolkata")) == "idle; next: clean 07:30"


@pytest.mark.parametrize("state", [IDLE, replace(IDLE, running=AT_WORK, reload_mistakes=("no",))])
def test_what_is_published_can_be_read(state: DaemonState) -> None:
    assert from_json(to_json(state)) == state
