"""The daemon itself: one thread that waits for the clock, signals, its operation and questions."""

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import structlog

from backupd import __version__
from backupd.daemon.control import RELOAD, ControlSocket
from backupd.daemon.reload import changes, refuse_moves
from backupd.daemon.scheduler import Scheduler
from backupd.daemon.state import DaemonState, status_line, to_json
from backupd.daemon.systemd import Systemd
from backupd.errors import BackupdError, SettingsError
from backupd.wiring import App

_log = structlog.get_logger("backupd")

_LONGEST_WAIT = 15.0
"""A stepped clock and a machine that slept are noticed so many seconds late, at the most."""
_STATUS_SECONDS = 1.0
_SIGNS_A_WATCHDOG = 4
_GRACE = 10.0
"""Seconds that a running operation has to stop at the next chunk."""


class Daemon:
    """Runs until SIGTERM or SIGINT; SIGHUP and `systemctl reload` read the settings anew.

    Signs of life go to systemd from the turns of the one loop that does all the work, and only
    while the running operation moves: a hung operation and a hung daemon both stop them.
    """

    def __init__(
        self, scheduler: Scheduler, systemd: Systemd, control_path: Path, load: Callable[[], App]
    ) -> None:
        self.scheduler = scheduler
        self.systemd = systemd
        self._load = load
        self._control_path = control_path
        self._stop_asked = self._reload_asked = False
        self._started_at = self._settings_read_at = scheduler.app.clock.now()
        self._mistakes: tuple[str, ...] = ()
        self._told_status = ""
        self._told_at = self._alive_at = float("-inf")
        self._stall_told = False

    def run(self) -> None:
        """Be ready, work until asked to stop, wind down.

        Raises:
            LockedError: another daemon looks after the same backup set.
        """
        set_name = self.scheduler.app.set_name
        control = ControlSocket(self._control_path, self._answer)
        try:
            with self._signals() as wakened:
                self.systemd.ready()
                _log.info("the daemon is ready", set=set_name, version=__version__)
                while not self._stop_asked:
                    self._turn(control, wakened)
                self._wind_down()
        finally:
            control.close()
        _log.info("the daemon stopped", set=set_name)

    def _turn(self, control: ControlSocket, wakened: int) -> None:
        if self._reload_asked:
            self._reload_asked = False
            self._reload()
        self.scheduler.tick()
        self._watch_over_operation()
        self._tell_status()
        running = self.scheduler.running
        waited_for = [wakened, control.fileno(), *(running.descriptors if running else ())]
        readable, _, _ = select.select(waited_for, [], [], self._wait_seconds())
        if wakened in readable:
            with suppress(BlockingIOError):
                os.read(wakened, 4096)
        if control.fileno() in readable:
            control.serve()

    def _wait_seconds(self) -> float:
        limits = [_LONGEST_WAIT, self.scheduler.seconds_to_next()]
        if self.systemd.watchdog_seconds:
            limits.append(self.systemd.watchdog_seconds / _SIGNS_A_WATCHDOG)
        return max(min(limits), 0)

    def _watch_over_operation(self) -> None:
        """Give a sign of life, unless the running operation gives none."""
        running = self.scheduler.running
        if running is None or not self.scheduler.is_stalled:
            self._stall_told = False
            self._give_sign()
            return
        if not self._stall_told:
            self._stall_told = True
            _log.error(
                f"{running.wanted.operation} has stalled: no progress for "
                f"{self.scheduler.stall_limit:.0f} s",
                operation=running.wanted.operation,
                phase=running.phase,
                run_id=running.run_id,
            )
        if self.systemd.watchdog_seconds is None:
            running.kill()  # nobody else would

    def _give_sign(self) -> None:
        wanted = self.systemd.watchdog_seconds
        now = time.monotonic()
        if wanted and now - self._alive_at >= wanted / (2 * _SIGNS_A_WATCHDOG):
            self._alive_at = now
            self.systemd.alive()

    def _tell_status(self) -> None:
        if time.monotonic() - self._told_at < _STATUS_SECONDS:
            return
        self._told_at = time.monotonic()
        app = self.scheduler.app
        text = status_line(self.state(), app.clock.now(), app.zone)
        if text != self._told_status:
            self._told_status = text
            self.systemd.status(app.redactor.clean(text))

    def state(self) -> DaemonState:
        """Tell what the daemon does."""
        scheduler = self.scheduler
        app, running = scheduler.app, scheduler.running
        now = app.clock.now()
        at_work = {running.wanted.operation} if running else set()
        waiting = [each.operation for each in scheduler.decide(now).wanted]
        return DaemonState(
            set_name=app.set_name,
            version=__version__,
            pid=os.getpid(),
            started_at=self._started_at,
            settings_read_at=self._settings_read_at,
            env_file=str(app.loaded.env_file or ""),
            reload_mistakes=self._mistakes,
            running=running.state(scheduler.stall_limit) if running else None,
            waiting=tuple(each for each in waiting if each not in at_work),
            blocked_by=scheduler.blocked_by,
            next_runs=scheduler.next_starts(now),
        )

    def _answer(self, request: str) -> str:
        if request == RELOAD:
            return json.dumps({"mistakes": self._reload()})
        return to_json(self.state())

    def _reload(self) -> tuple[str, ...]:
        """Read the settings anew and go by them; if anything is wrong, go on as before."""
        self.systemd.reloading()
        old = self.scheduler.app
        try:
            new = self._load()
            refuse_moves(old, new)
            self.scheduler.follow(new)
        except BackupdError as error:
            self._mistakes = error.mistakes if isinstance(error, SettingsError) else (str(error),)
            for mistake in self._mistakes:
                _log.error(f"reload refused: {mistake}")
            _log.error("the settings stay as they were", hint=error.hint)
        else:
            self._mistakes = ()
            self._settings_read_at = new.clock.now()
            changed = changes(old.loaded, new.loaded)
            for change in changed:
                _log.info(f"changed: {change}")
            _log.info("settings read anew", changed=len(changed))
            self.scheduler.forecast(old)
        self._told_at = float("-inf")
        self.systemd.ready()
        return self._mistakes

    def _wind_down(self) -> None:
        """Stop the running operation at its next chunk; end it if it does not stop in time."""
        self.systemd.stopping()
        running = self.scheduler.running
        if running is None:
            return
        _log.info(f"stopping {running.wanted.operation}", operation=running.wanted.operation)
        self.systemd.status(f"stopping {running.wanted.operation}")
        running.stop()
        deadline = time.monotonic() + _GRACE
        while self.scheduler.running is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                _log.warning(f"{running.wanted.operation} did not stop in time; it was ended")
                running.kill()
            else:
                self.systemd.extend(left + _STATUS_SECONDS)
                select.select(running.descriptors, [], [], min(left, _STATUS_SECONDS))
            self.scheduler.collect()

    @contextmanager
    def _signals(self) -> Iterator[int]:
        """Turn signals into flags, and into a byte to read, so that none is missed in a wait."""
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

        def stop(_signal: int, _frame: FrameType | None) -> None:
            self._stop_asked = True

        def reload(_signal: int, _frame: FrameType | None) -> None:
            self._reload_asked = True

        wanted = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}
        before = {each: signal.signal(each, handler) for each, handler in wanted.items()}
        waker = signal.set_wakeup_fd(writing)
        try:
            yield reading
        finally:
            signal.set_wakeup_fd(waker)
            for each, handler in before.items():
                signal.signal(each, handler)
            os.close(reading)
            os.close(writing)
