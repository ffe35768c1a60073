"""A booted Debian, and how tests talk to it."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

PATIENCE = 60
INSTALL = "DEBIAN_FRONTEND=noninteractive unshare --net apt-get install -y"
"""Without any network."""


def offset_to(hour: int, minute: int, second: int = 0) -> int:
    """Give the seconds from now to that time of a day to come."""
    now = datetime.now(UTC)
    then = now.replace(hour=hour, minute=minute, second=second, microsecond=0) + timedelta(days=2)
    return round((then - now).total_seconds())


@dataclass(frozen=True, slots=True)
class Done:
    """How a command in the machine ended."""

    code: int
    out: str
    err: str


@dataclass(slots=True)
class Machine:
    """A booted Debian; commands are run in it as its root."""

    release: str
    leader: int
    package: str

    def __call__(self, script: str) -> Done:
        """Run a script of the shell, whatever its exit status."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.leader), "-a", "sh", "-c", script],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def must(self, script: str) -> str:
        """Run a script that succeeds, and return what it printed."""
        done = self(script)
        assert done.code == 0, (script, done, self("journalctl -u backupd --no-pager -n 30").out)
        return done.out.strip()

    def write(self, path: str, text: str, mode: str = "600") -> None:
        quoted = text.replace("'", "'\\''")
        self.must(f"mkdir -p $(dirname {path}); printf %s '{quoted}' >{path}; chmod {mode} {path}")

    def set(self, **settings: str) -> None:
        """Write the env file: a small application, and these settings."""
        lines = {"NAME": "shop", "TIMEZONE": "UTC", "SOURCE__ROOT": "/srv/shop", **settings}
        prefixed = {
            name if name.startswith("AWS_") else f"BACKUP_{name}": lines[name] for name in lines
        }
        text = "".join(f"{name}={value}\n" for name, value in prefixed.items())
        self.write("/etc/backupd/backupd.env", text)

    def unit(self, *lines: str) -> None:
        """Add to the unit by a drop-in, as an admin does."""
        text = "[Service]\n" + "".join(f"{line}\n" for line in lines)
        self.write("/etc/systemd/system/backupd.service.d/test.conf", text, "644")
        self.must("systemctl daemon-reload")

    def move_clock(self, seconds: int, *more: str) -> None:
        """Have the daemon and its operations see another time; timers go on as they are."""
        library = self.must("ls /usr/lib/*/faketime/libfaketime.so.1")
        self.unit(
            f"Environment=LD_PRELOAD={library} FAKETIME={seconds:+d}s",
            "Environment=FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DISABLE_SHM=1",
            *more,
        )

    def start_with_backup_due(self, *more: str) -> None:
        """Start at 00:50, be off at 01:00, and start again at 01:10."""
        self.move_clock(offset_to(0, 50))
        self.must("systemctl start backupd && systemctl stop backupd")
        self.move_clock(offset_to(1, 10), *more)
        self.must("systemctl start backupd")

    def show(self, name: str) -> str:
        return self.must(f"systemctl show backupd --property={name} --value")

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, self("journalctl -u backupd --no-pager -n 60").out
            time.sleep(0.1)

    def journal(self) -> list[dict[str, Any]]:
        """Give the unit's entries since the test began."""
        lines = self.must("journalctl -u backupd -o json --no-pager").splitlines()
        return [json.loads(line) for line in lines if line]

    def messages(self) -> list[str]:
        return [str(entry["MESSAGE"]) for entry in self.journal()]

    def backups(self) -> list[str]:
        """Name the backups at the default destination."""
        return self("ls /var/lib/backupd/backups | grep 'zip$'").out.split()

    def operation(self) -> int:
        """Find the running operation's process; 0 if there is none."""
        found = self(f"pgrep -P {self.show('MainPID')}").out.split()
        return int(found[0]) if found else 0
