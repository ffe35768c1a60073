"""What systemd is told, and what it wants to be told (sd_notify(3), sd_watchdog_enabled(3))."""

import os
import time
from collections.abc import Mapping

from sdnotify import SystemdNotifier

_MICROSECONDS = 1_000_000


class Systemd:
    """Speaks to the service manager; where there is none, it speaks to nobody."""

    def __init__(self, process: Mapping[str, str]) -> None:
        self._notifier = SystemdNotifier() if process.get("NOTIFY_SOCKET") else None
        self.watchdog_seconds = _watchdog_seconds(process)
        """How often a sign of life is wanted, at the least; None: never."""

    def ready(self) -> None:
        """Say that the daemon does its work, with the settings that are now in force."""
        self._tell("READY=1")

    def status(self, text: str) -> None:
        """Give `systemctl status` its line."""
        self._tell(f"STATUS={text}")

    def alive(self) -> None:
        """Give a sign of life: call it only when work is done as it should be."""
        self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        """Say that the settings are being read anew; `ready` ends it."""
        now = time.monotonic_ns() // 1000
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """Say that the daemon winds down."""
        self._tell("STOPPING=1")

    def extend(self, seconds: float) -> None:
        """Ask for so much more time to wind down."""
        self._tell(f"EXTEND_TIMEOUT_USEC={int(seconds * _MICROSECONDS)}")

    def _tell(self, message: str) -> None:
        if self._notifier is not None:
            # sdnotify writes Latin-1, and systemd reads UTF-8.
            self._notifier.notify(message.encode().decode("latin-1"))


def _watchdog_seconds(process: Mapping[str, str]) -> float | None:
    """Read WATCHDOG_USEC, if it is meant for this process."""
    microseconds = process.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or process.get("WATCHDOG_PID", str(os.getpid())) != str(
        os.getpid()
    ):
        return None
    return int(microseconds) / _MICROSECONDS
