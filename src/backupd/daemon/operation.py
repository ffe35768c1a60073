"""One operation as a child process: its progress comes by a pipe, its settings by memory."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from backupd.daemon.schedule import Wanted
from backupd.daemon.state import RunningOperation
from backupd.observers import relay
from backupd.settings import handover
from backupd.settings.environment import Found

PROGRAM = (sys.executable, "-P", "-m", "backupd")
"""This program; -P keeps the working directory from being searched for it."""

COMMANDS = {
    "deliver": "deliver",
    "backup": "run",
    "clean": "clean",
    "monitor": "monitor",
    "drill": "drill",
}

_CHUNK = 65536
_SYSTEMD_ONLY = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID")


@dataclass(slots=True)
class OperationProcess:
    """A running operation. `descriptors` become readable when there is something to `take`."""

    wanted: Wanted
    started_at: datetime
    process: subprocess.Popen[bytes]
    pipe: int
    pidfd: int
    run_id: str = ""
    phase: str = ""
    done: int = 0
    total: int = 0
    last_sign: float = field(default_factory=time.monotonic)
    """When it last showed that it works; on the monotonic clock, which sleeps when we do."""
    stop_asked: bool = False
    _phase_began: tuple[float, int] = (0.0, 0)
    _rest: bytes = b""

    @property
    def descriptors(self) -> tuple[int, int]:
        """What to wait for."""
        return self.pipe, self.pidfd

    def take(self) -> int | None:
        """Read what it has written; return its exit status if it has ended (-N: by signal N)."""
        status = self.process.poll()
        with suppress(BlockingIOError):
            while chunk := os.read(self.pipe, _CHUNK):
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                for line in lines:
                    self._note(line)
        return status

    def _note(self, line: bytes) -> None:
        self.last_sign = time.monotonic()
        try:
            message = json.loads(line)
            if message["event"] == "OperationStarted":
                self.run_id = str(message["run_id"])
            elif message["event"] == "Progressed":
                self._progressed(str(message["phase"]), int(message["done"]), int(message["total"]))
        except (ValueError, KeyError, TypeError):
            return  # not what we write; that it came is a sign of life

    def _progressed(self, phase: str, done: int, total: int) -> None:
        if phase != self.phase:
            self._phase_began = (self.last_sign, done)
        self.phase, self.done, self.total = phase, done, total

    def is_stalled(self, limit: float) -> bool:
        """Tell whether it has shown no progress for more than `limit` seconds."""
        return time.monotonic() - self.last_sign > limit

    def state(self, limit: float) -> RunningOperation:
        """Tell how far it is."""
        began, first = self._phase_began
        elapsed, moved = self.last_sign - began, self.done - first
        left = max(self.total - self.done, 0)
        return RunningOperation(
            operation=self.wanted.operation,
            due=self.wanted.due,
            started_at=self.started_at,
            run_id=self.run_id,
            phase=self.phase,
            done=self.done,
            total=self.total,
            seconds_left=elapsed * left / moved
            if self.total and moved > 0 and elapsed > 1
            else None,
            stalled=self.is_stalled(limit),
        )

    def stop(self) -> None:
        """Ask it to stop at the next chunk."""
        self.stop_asked = True
        self.process.terminate()

    def kill(self) -> None:
        """End it and the programs that it started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Let go of what was waited for."""
        for descriptor in self.descriptors:
            os.close(descriptor)


def start(
    wanted: Wanted,
    started_at: datetime,
    values: Mapping[str, Found],
    process: Mapping[str, str],
    program: Sequence[str] = PROGRAM,
) -> OperationProcess:
    """Start the operation with the settings that are in force now, and will be for all its run."""
    settings = handover.hand_over(values)
    reading, writing = os.pipe()
    try:
        environment = {name: text for name, text in process.items() if name not in _SYSTEMD_ONLY}
        child = subprocess.Popen(
            [*program, COMMANDS[wanted.operation]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(settings, writing),
            process_group=0,
            env=environment | {handover.VARIABLE: str(settings), relay.VARIABLE: str(writing)},
        )
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(settings)
        os.close(writing)
    os.set_blocking(reading, False)
    return OperationProcess(
        wanted=wanted,
        started_at=started_at,
        process=child,
        pipe=reading,
        pidfd=os.pidfd_open(child.pid),
    )
