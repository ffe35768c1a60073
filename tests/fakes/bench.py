"""A backup set whose operations are stand-ins, and whose clock is wound by hand."""

import os
import select
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from backupd.daemon.scheduler import Scheduler
from backupd.settings import load_settings
from backupd.wiring import App
from fakes.clock import WoundClock
from fakes.listening import Listener

STAND_IN = Path(__file__).parent / "operation.py"


@dataclass(slots=True)
class Bench:
    """What a scheduler needs, in a folder of its own."""

    folder: Path
    clock: WoundClock = field(
        default_factory=lambda: WoundClock(datetime(2026, 3, 2, 0, 30, tzinfo=UTC))
    )
    heard: Listener = field(default_factory=Listener)
    lines: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "STATE_DIRECTORY": str(self.folder / "state"),
            "BACKUPD_ENV_FILE": str(self.folder / "backupd.env"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }

    @property
    def program(self) -> tuple[str, ...]:
        return (sys.executable, str(STAND_IN), str(self.folder))

    def set(self, **settings: str) -> None:
        """Write the env file with these settings too."""
        self.lines |= {f"BACKUP_{name}": value for name, value in settings.items()}
        text = "".join(f"{name}={value}\n" for name, value in self.lines.items())
        (self.folder / "backupd.env").write_text(text)

    def app(self) -> App:
        return App(load_settings(self.environment), self.environment, self.clock)

    def scheduler(self) -> Scheduler:
        return Scheduler(self.app(), lambda _: self.heard, self.environment, self.program)

    def plan(self, command: str, words: str) -> None:
        (self.folder / command).write_text(words)

    @property
    def log(self) -> list[str]:
        """What has been started: command, set, and a setting that tests change."""
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def started(self) -> list[str]:
        return [line.split()[0] for line in self.log]


def until_idle(scheduler: Scheduler) -> None:
    """Tick, and wait for what runs, until nothing is to be done at this moment."""
    scheduler.tick()
    while scheduler.running is not None:
        select.select(scheduler.running.descriptors, [], [], 10)
        scheduler.tick()


def run_until_working(scheduler: Scheduler) -> None:
    """Tick until the operation has said that it started."""
    scheduler.tick()
    while scheduler.running is None or not scheduler.running.run_id:
        if scheduler.running is not None:
            select.select(scheduler.running.descriptors, [], [], 10)
        scheduler.tick()


def die_at_work(scheduler: Scheduler) -> None:
    """End the operation as a power cut does: nobody is left to note it."""
    run_until_working(scheduler)
    assert scheduler.running is not None
    scheduler.running.kill()
    scheduler.running.close()
