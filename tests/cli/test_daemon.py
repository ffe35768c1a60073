"""`backupd daemon` as a process; what it does over time is in tests/daemon."""

import select
import signal
import time

from conftest import Program


def test_it_refuses_to_start_without_a_tree_to_back_up(program: Program) -> None:
    program.lines = [line for line in program.lines if "SOURCE__ROOT" not in line]
    program.set()
    done = program("daemon")
    assert done.code == 78
    assert "BACKUP_SOURCE__ROOT is not set" in done.err


def test_it_refuses_to_start_with_a_tree_that_is_relative_to_nothing(program: Program) -> None:
    program.set(SOURCE__ROOT="shop")
    done = program("daemon")
    assert done.code == 78
    assert "does not start with '/'" in done.err


def test_it_reloads_and_stops(program: Program) -> None:
    program.set(SCHEDULE__BACKUP="0 0 1 1 *", SCHEDULE__CLEAN="0 0 1 1 *")
    program.set(SCHEDULE__MONITOR="0 0 1 1 *", SCHEDULE__DRILL="0 0 1 1 *")
    process = program.start("daemon")
    assert process.stderr is not None
    try:
        readable, _, _ = select.select([process.stderr], [], [], 30)
        assert readable
        assert "the daemon is ready" in process.stderr.readline()
        deadline = time.monotonic() + 30
        while (done := program("daemon", "--reload")).code == 1 and time.monotonic() < deadline:
            pass
        assert (done.code, done.err) == (0, "")
        assert done.out == "The daemon read its settings anew, and goes by them.\n"
        program.set(RETENTION__KEEP_ALL_DAYS="many")
        done = program("daemon", "--reload")
        assert done.code == 78
        assert "'many' is not allowed" in done.err
    finally:
        process.send_signal(signal.SIGTERM)
        done = program.finish(process, 30)
    assert done.code == 0
    assert "reload refused: BACKUP_RETENTION__KEEP_ALL_DAYS" in done.err
    assert "the daemon stopped" in done.err


def test_without_a_daemon_a_reload_says_so(program: Program) -> None:
    done = program("daemon", "--reload")
    assert done.code == 1
    assert "No daemon answers" in done.err
