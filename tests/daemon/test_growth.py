"""Thirty days in the daemon's own process: nothing in it grows, and nothing on the file system."""

import gc
import os
import signal
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backupd.cli.telling import Announcer
from backupd.daemon.control import ask_to_reload, read_state
from backupd.daemon.loop import Daemon
from backupd.daemon.scheduler import Scheduler
from backupd.daemon.state import DaemonState
from backupd.daemon.systemd import Systemd
from backupd.errors import BackupdError
from backupd.model import Outcome
from backupd.observers.group import ObserverGroup
from backupd.observers.log import log_event
from backupd.observers.record import Recorder
from backupd.ports import Observer
from backupd.records import Run
from backupd.wiring import App
from fakes.bench import Bench
from fakes.mail_server import Mailbox, MailHouse

PATIENCE = 60
KIB = 1024

STAND_IN = """
echo "$2" >>"$1/log"
echo '{"event": "OperationStarted", "run_id": "r1"}' >"/proc/self/fd/$BACKUPD_EVENTS_FD"
[ "$2" = "$(cat "$1/dies" 2>/dev/null)" ] && rm "$1/dies" && kill -KILL $$
exit 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much there is of everything that could grow."""

    descriptors: int
    threads: int
    allocated: int
    """Bytes, by Python."""
    on_disk: int
    """Bytes of the state directory."""


def smallest(sizes: Sequence[Size]) -> Size:
    """Leave out what is there for a moment only, as a mail that is on its way."""
    return Size(
        descriptors=min(size.descriptors for size in sizes),
        threads=min(size.threads for size in sizes),
        allocated=min(size.allocated for size in sizes),
        on_disk=min(size.on_disk for size in sizes),
    )


@dataclass(slots=True)
class World:
    """Lets days pass around a daemon whose loop runs in another thread of this process."""

    bench: Bench
    daemon: Daemon
    mailbox: Mailbox
    control: Path
    sizes: list[Size] = field(default_factory=list)
    """After each day."""

    def live(self, days: int) -> None:
        """Live, measure after every day, and stop the daemon."""
        try:
            for day in range(1, days + 1):
                self.live_a_day(day)
                self.mailbox.mails.clear()
                self.mailbox.recipients.clear()
                self.sizes.append(self.size())
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def live_a_day(self, day: int) -> None:
        """Each of five days has its own mishap: all have been seen by the end of the fifth."""
        mishap = day % 5
        self.bench.plan("dies", "monitor" if mishap == 1 else "nothing")
        if mishap == 2:
            self.reload(RETENTION__KEEP_ALL_DAYS=str(7 + day))
        if mishap == 3:
            self.reload(RETENTION__KEEP_ALL_DAYS="many")
            self.reload(RETENTION__KEEP_ALL_DAYS="7")
        hours = 24 if mishap == 4 else 3  # a machine that sleeps all day
        for _ in range(24 // hours):
            self.bench.clock.wind(hours=hours)
            self.until_idle()
        self.record_runs()

    def reload(self, **settings: str) -> None:
        self.bench.set(**settings)
        ask_to_reload(self.control)

    def until_idle(self) -> None:
        """Ask, which wakes the loop, until nothing runs and nothing is wanted."""
        deadline = time.monotonic() + PATIENCE
        while (state := self.state()) is None or state.running or state.waiting:
            assert time.monotonic() < deadline, state
            time.sleep(0.005)

    def state(self) -> DaemonState | None:
        """Ask what the daemon does; one that waits for a slow disk answers later."""
        with suppress(BackupdError):
            return read_state(self.control)
        return None

    def record_runs(self) -> None:
        """Note what real operations would have noted themselves."""
        app, now = self.daemon.scheduler.app, self.bench.clock.now()
        for operation in ("backup", "clean", "monitor"):
            app.history.record_run(
                Run(
                    run_id=f"{now:%Y%m%dT%H%M%SZ}-{operation}",
                    operation=operation,
                    started_at=now,
                    ended_at=now,
                    outcome=Outcome.SUCCEEDED,
                    facts={"scope": "full", "bytes": 123_456_789},
                )
            )

    def size(self) -> Size:
        gc.collect()
        files = [path for path in (self.bench.folder / "state").rglob("*") if path.is_file()]
        return Size(
            descriptors=len(os.listdir("/proc/self/fd")),
            threads=threading.active_count(),
            allocated=tracemalloc.get_traced_memory()[0],
            on_disk=sum(path.stat().st_size for path in files),
        )


@pytest.fixture
def world(bench: Bench) -> Iterator[World]:
    stand_in = bench.folder / "operation"
    stand_in.write_text(STAND_IN)
    program = ("sh", str(stand_in), str(bench.folder))
    control = bench.folder / "control.sock"
    announcer = Announcer()

    def observers(app: App) -> Observer:
        return ObserverGroup([log_event, Recorder(app.history), announcer.follow(app)])

    with MailHouse(Mailbox()) as house:
        bench.set(MAIL_TO="a@example.org", MAIL__HOST="127.0.0.1", MAIL__PORT=str(house.port))
        scheduler = Scheduler(bench.app(), observers, bench.environment, program)
        daemon = Daemon(scheduler, Systemd({}), control, bench.app)
        yield World(bench, daemon, house.mailbox, control)
        announcer.stop()


def test_thirty_days_of_the_loop_leave_no_growth(world: World) -> None:
    """The last five days against five early ones, each five with all mishaps."""
    tracemalloc.start()
    try:
        with ThreadPoolExecutor(1) as beside:
            living = beside.submit(world.live, 30)
            world.daemon.run()
            living.result(PATIENCE)
    finally:
        tracemalloc.stop()
    early, late = smallest(world.sizes[4:9]), smallest(world.sizes[25:])
    assert (late.descriptors, late.threads) == (early.descriptors, early.threads)
    assert late.allocated - early.allocated < 64 * KIB
    assert late.on_disk - early.on_disk < 64 * KIB
    assert world.bench.started.count("run") == 30
