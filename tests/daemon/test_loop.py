"""The daemon as a process, spoken to as systemd speaks to it: datagrams and signals."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backupd.daemon.control import ask_to_reload, find_daemon, read_state, socket_path
from backupd.daemon.state import DaemonState
from backupd.errors import BackupdError
from fakes.bench import Bench
from fakes.overheard import overhear, secret

SCHEDULED = Path(__file__).parent.parent / "fakes" / "scheduled.py"
PATIENCE = 20
OVER = "over"


@dataclass(slots=True)
class Manager:
    """The part of systemd that a daemon talks to; as systemd does, it reads at once."""

    bench: Bench
    process: "subprocess.Popen[str]"
    said: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)

    @property
    def path(self) -> Path:
        return socket_path({"RUNTIME_DIRECTORY": str(self.bench.folder / "runtime")}, "shop")

    def listen(self, notify: socket.socket) -> None:
        """Read until told that it is over."""
        with notify:
            while (message := notify.recv(4096).decode()) != OVER:
                overhear("systemd", message)
                self.said.put(message)

    def until(self, wanted: str, patience: float = PATIENCE) -> str:
        """Wait until the daemon says it, and return all of the message."""
        while True:
            message = self.said.get(timeout=patience)
            if wanted in message:
                return message

    def is_silent(self) -> bool:
        """Tell whether all that was said has been read."""
        return self.said.empty()

    def state(self) -> DaemonState:
        state = read_state(self.path)
        assert state is not None
        overhear("the daemon's state", str(state))
        return state

    def until_state(self, holds: Callable[[DaemonState], bool]) -> DaemonState:
        deadline = time.monotonic() + PATIENCE
        while not holds(state := self.state()):
            assert time.monotonic() < deadline, state
            time.sleep(0.02)
        return state

    def wind(self, **span: float) -> None:
        """Move the daemon's clock, and let it look."""
        self.bench.clock.wind(**span)
        write_clock(self.bench)
        self.state()  # a question wakes the loop

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


def write_clock(bench: Bench) -> None:
    beside = bench.folder / "clock.new"
    beside.write_text(bench.clock.now().isoformat())
    beside.rename(bench.folder / "clock")


@pytest.fixture
def start(bench: Bench) -> Iterator[Callable[..., Manager]]:
    """Start daemons that say everything to a socket of this test."""
    started: list[tuple[Manager, threading.Thread, Path]] = []

    def begin(**environment: str) -> Manager:
        path = bench.folder / f"notify{len(started)}"
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(path))
        write_clock(bench)
        process = subprocess.Popen(
            [sys.executable, str(SCHEDULED), str(bench.folder)],
            env={
                **bench.environment,
                "NOTIFY_SOCKET": str(path),
                "RUNTIME_DIRECTORY": str(bench.folder / "runtime"),
                **environment,
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        manager = Manager(bench, process)
        listener = threading.Thread(target=manager.listen, args=(notify,))
        listener.start()
        started.append((manager, listener, path))
        return manager

    yield begin
    for manager, listener, path in started:
        if manager.process.poll() is None:
            manager.process.terminate()
        _, said = manager.process.communicate(timeout=PATIENCE)
        overhear("the daemon's log", said)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ending:
            ending.sendto(OVER.encode(), str(path))
        listener.join(PATIENCE)


Start = Callable[..., Manager]


def test_it_is_ready_when_it_can_be_asked(start: Start) -> None:
    manager = start()
    manager.until("READY=1")
    state = manager.state()
    assert state.set_name == "shop"
    assert state.pid == manager.process.pid
    assert list(state.next_runs) == ["backup", "clean", "monitor", "drill"]
    assert manager.until("STATUS=") == "STATUS=idle; next: backup 01:00"
    runtime = {"RUNTIME_DIRECTORY": str(manager.path.parent)}
    assert find_daemon(runtime, lambda found: found.pid == state.pid) == manager.path


def test_it_is_not_ready_when_its_state_cannot_be_written(start: Start, bench: Bench) -> None:
    (bench.folder / "state").write_text("in the way")
    manager = start()
    _, said = manager.process.communicate(timeout=PATIENCE)
    assert manager.process.returncode == 1
    assert "cannot be used" in said
    assert manager.is_silent()


def test_it_runs_what_is_due_and_tells_how_far_it_is(start: Start, bench: Bench) -> None:
    bench.plan("run", "move")
    manager = start()
    manager.until("READY=1")
    manager.wind(minutes=31)
    status = manager.until("left; next")
    assert status.startswith("STATUS=backup: zipping, ")
    assert status.endswith("next: clean 02:00")


def test_stopping_ends_the_operation_and_leaves_it_to_the_next_start(
    start: Start, bench: Bench
) -> None:
    bench.plan("run", "move")
    manager = start()
    manager.until("READY=1")
    manager.wind(minutes=31)
    manager.until_state(lambda state: state.running is not None and state.running.done > 0)
    manager.signal(signal.SIGTERM)
    manager.until("STOPPING=1")
    manager.until("EXTEND_TIMEOUT_USEC=")
    assert manager.process.wait(PATIENCE) == 0
    assert not manager.path.exists()
    bench.plan("run", "exit 0")
    again = start()
    again.until("READY=1")
    again.until_state(lambda state: not state.waiting and state.running is None)
    assert bench.started == ["run", "run"]


def test_an_operation_that_does_not_stop_is_ended(start: Start, bench: Bench) -> None:
    bench.plan("run", "deaf")
    manager = start()
    manager.until("READY=1")
    manager.wind(minutes=31)
    manager.until_state(lambda state: state.running is not None and state.running.phase == "deaf")
    manager.signal(signal.SIGTERM)
    assert manager.process.wait(PATIENCE) == 0


def test_signs_of_life_come_while_the_operation_moves(start: Start, bench: Bench) -> None:
    bench.plan("run", "move")
    bench.set(SCHEDULE__STALL_SECONDS="1")
    manager = start(WATCHDOG_USEC="400000")
    manager.until("READY=1")
    manager.wind(minutes=31)
    manager.until("STATUS=backup: zipping")
    for _ in range(15):  # for longer than the stall limit
        manager.until("WATCHDOG=1")


def test_signs_of_life_cease_when_the_operation_hangs(start: Start, bench: Bench) -> None:
    bench.plan("run", "hang")
    bench.set(SCHEDULE__STALL_SECONDS="1")
    manager = start(WATCHDOG_USEC="400000")
    manager.until("READY=1")
    manager.wind(minutes=31)
    manager.until_state(lambda state: state.running is not None and state.running.stalled)
    manager.until("stalled")
    with pytest.raises(queue.Empty):
        manager.until("WATCHDOG=1", patience=1)


def test_without_a_watchdog_a_hung_operation_is_ended_by_the_daemon(
    start: Start, bench: Bench
) -> None:
    bench.plan("run", "hang")
    bench.set(SCHEDULE__STALL_SECONDS="1")
    manager = start()
    manager.until("READY=1")
    manager.wind(minutes=31)
    manager.until_state(lambda _: len(bench.started) == 2)  # ended, and run again
    manager.signal(signal.SIGTERM)
    _, said = manager.process.communicate(timeout=PATIENCE)
    assert "has stalled" in said
    assert "killed by signal 9" in said


def test_a_watchdog_meant_for_another_process_is_not_fed(start: Start) -> None:
    manager = start(WATCHDOG_USEC="200000", WATCHDOG_PID="1")
    manager.until("READY=1")
    with pytest.raises(queue.Empty):
        manager.until("WATCHDOG=1", patience=1)


@pytest.mark.parametrize("way", ["signal", "socket"])
def test_a_good_reload_takes_the_new_settings(start: Start, bench: Bench, way: str) -> None:
    manager = start()
    manager.until("READY=1")
    bench.set(SCHEDULE__BACKUP="00:45", ARCHIVE_PASSWORD=secret("archive"))
    if way == "signal":
        manager.signal(signal.SIGHUP)
    else:
        assert ask_to_reload(manager.path) == ()
    message = manager.until("RELOADING=1")
    assert 0 < int(message.partition("MONOTONIC_USEC=")[2]) <= time.monotonic_ns() // 1000
    manager.until("READY=1")
    assert manager.until("STATUS=") == "STATUS=idle; next: backup 00:45"
    manager.signal(signal.SIGTERM)
    _, said = manager.process.communicate(timeout=PATIENCE)
    assert "BACKUP_SCHEDULE__BACKUP: 01:00 → 00:45" in said
    assert f"BACKUP_ARCHIVE_PASSWORD:  → (secret, {len(secret('archive'))} characters)" in said


def test_a_bad_reload_changes_nothing_and_says_what_is_wrong(start: Start, bench: Bench) -> None:
    manager = start()
    manager.until("READY=1")
    good = dict(bench.lines)
    bench.set(SCHEDULE__BACKUP="25:00", RETENTION__KEEP_ALL_DAYS="many")
    mistakes = ask_to_reload(manager.path)
    assert len(mistakes) == 2
    assert "BACKUP_SCHEDULE__BACKUP" in mistakes[0]
    manager.until("RELOADING=1")
    manager.until("READY=1")
    assert "the last reload was refused" in manager.until("STATUS=")
    state = manager.state()
    assert state.reload_mistakes == mistakes
    assert state.next_runs["backup"].hour == 1
    bench.lines = good
    bench.set()
    assert ask_to_reload(manager.path) == ()
    assert manager.state().reload_mistakes == ()


def test_a_reload_for_another_backup_set_is_refused(start: Start, bench: Bench) -> None:
    manager = start()
    manager.until("READY=1")
    bench.set(NAME="other")
    (mistake,) = ask_to_reload(manager.path)
    assert "'other'" in mistake


def test_a_reload_during_a_backup_lets_it_finish_under_the_old_settings(
    start: Start, bench: Bench
) -> None:
    bench.plan("run", "move")
    manager = start()
    manager.until("READY=1")
    manager.wind(minutes=31)
    running = manager.until_state(lambda state: state.running is not None).running
    bench.set(RETENTION__KEEP_ALL_DAYS="3", SCHEDULE__BACKUP="05:00")
    assert ask_to_reload(manager.path) == ()
    state = manager.until_state(lambda state: state.running is not None and state.running.done > 0)
    assert running is not None
    assert state.running is not None
    assert state.running.started_at == running.started_at
    assert bench.log == ["run shop 7"]


def test_a_second_daemon_for_the_same_set_is_refused(start: Start) -> None:
    start().until("READY=1")
    second = start()
    _, said = second.process.communicate(timeout=PATIENCE)
    assert second.process.returncode == 75
    assert "Another daemon" in said


def test_the_socket_of_a_dead_daemon_is_no_obstacle(start: Start) -> None:
    first = start()
    first.until("READY=1")
    first.process.kill()
    first.process.wait(PATIENCE)
    assert read_state(first.path) is None
    with pytest.raises(BackupdError, match="No daemon answers"):
        ask_to_reload(first.path)
    start().until("READY=1")


def test_only_its_user_may_ask(start: Start) -> None:
    manager = start()
    manager.until("READY=1")
    assert manager.path.stat().st_mode & 0o777 == 0o600


def test_a_killed_daemon_catches_up_once(start: Start, bench: Bench) -> None:
    """Kill -9 of both in mid-backup."""
    bench.plan("run", "move")
    first = start()
    first.until("READY=1")
    first.wind(minutes=31)
    state = first.until_state(lambda state: state.running is not None and state.running.done > 0)
    first.process.kill()
    first.process.wait(PATIENCE)
    assert state.running is not None
    subprocess.run(["pkill", "-KILL", "-f", f"{bench.folder} run"], check=True)
    bench.plan("run", "exit 0")
    second = start()
    second.until("READY=1")
    second.until_state(lambda state: not state.waiting and state.running is None)
    assert bench.started == ["run", "run"]


def test_an_idle_daemon_hardly_uses_the_processor(start: Start) -> None:
    """Ten of its longest waits are not waited for: what it does at each is asked for instead."""
    manager = start()
    manager.until("READY=1")
    ticks = os.sysconf("SC_CLK_TCK")

    def seconds() -> float:
        fields = Path(f"/proc/{manager.process.pid}/stat").read_text().split()
        return (int(fields[13]) + int(fields[14])) / ticks

    before = seconds()
    for _ in range(40):  # ten minutes of turns at the longest wait
        manager.state()
    assert seconds() - before < 0.6  # 0.1 % of ten minutes
