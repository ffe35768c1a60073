"""The doctor's look at this machine: directories, programs, clock, systemd."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from backupd.diagnosis import Diagnosis, bad, doubtful, good
from backupd.words import size

_SYSTEMD = Path("/run/systemd/system")
"""It is there if systemd runs this machine: sd_booted(3)."""
_MISSING, _UNREADABLE = "does not exist", "may not be read"


def look_at_directory(subject: str, path: Path, setting: str) -> Iterable[Diagnosis]:
    """See whether backupd may write there, nobody else may read, and what is free."""
    there = next(each for each in (path, *path.parents) if _trouble(each, os.F_OK) != _MISSING)
    if not os.access(there, os.W_OK | os.X_OK):
        hint = f"Run backupd as the user that owns it, or set {setting}."
        yield bad(subject, f"{there} may not be written to.", hint)
        return
    free = size(shutil.disk_usage(there).free)
    if there == path and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield doubtful(subject, f"{path}: others may look into it.", f"chmod 700 {path}")
    else:
        yield good(subject, f"{path}: may be written to, {free} free.")


def look_at_tree(root: Path, include: Sequence[str]) -> Iterable[Diagnosis]:
    """See whether everything that is to be taken is there and may be read."""
    subject = "source files"
    for name in include:
        path = root / name
        trouble = _trouble(path, os.R_OK)
        if trouble == _MISSING:
            hint = "Correct BACKUP_SOURCE__ROOT or BACKUP_SOURCE__INCLUDE."
            yield bad(subject, f"{path} {trouble}.", hint)
        elif trouble:
            hint = "Run backupd as root, or under its systemd unit, which may read every file."
            yield bad(subject, f"{path} {trouble}.", hint)
        else:
            yield good(subject, f"{path.resolve()} can be read.")


def look_at_sqlite(name: str, path: Path) -> Iterable[Diagnosis]:
    """See whether a SQLite database is there and may be read."""
    subject = f"database {name}"
    trouble = _trouble(path, os.R_OK)
    if trouble == _UNREADABLE:
        yield bad(subject, f"{path} {trouble}.", "Run backupd as a user that may read it.")
    elif trouble or not path.is_file():
        hint = f"Correct BACKUP_DATABASES__{name.upper()}__URL."
        yield bad(subject, f"{path} {trouble or 'is no file'}.", hint)
    else:
        yield good(subject, f"{path} can be read.")


def _trouble(path: Path, mode: int) -> str:
    """Say why a file, or a directory with what is in it, may not be used so; "" if it may."""
    try:
        is_directory = stat.S_ISDIR(path.stat().st_mode)
    except PermissionError:
        return _UNREADABLE
    except OSError:
        return _MISSING
    entering = os.X_OK if is_directory and mode else 0
    return "" if os.access(path, mode | entering) else _UNREADABLE


def look_at_disks(directories: Mapping[str, Path]) -> Iterable[Diagnosis]:
    """See whether destinations share a file system: there, copies are the same bytes."""
    names: dict[int, list[str]] = {}
    for name, path in directories.items():
        there = next(each for each in (path, *path.parents) if not _trouble(each, os.F_OK))
        names.setdefault(there.stat().st_dev, []).append(f"'{name}'")
    for together in names.values():
        if len(together) > 1:
            yield doubtful(
                "disks",
                f"{' and '.join(together)} are on one file system, so their copies are the same "
                "bytes under two names; one bad sector damages both.",
                "Put one of them on another disk.",
            )


def look_at_clock() -> Iterable[Diagnosis]:
    """See whether the clock is set from the network, as far as systemd knows."""
    answer = _asked("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if answer == "yes":
        yield good("clock", "It is set from the network.")
    elif answer == "no":
        hint = "timedatectl set-ntp true; names, retention and S3 all go by the clock."
        yield doubtful("clock", "It is not set from the network.", hint)
    else:
        hint = "Make sure that something keeps it right, such as chrony."
        yield doubtful("clock", "Nobody here tells whether it is right.", hint)


def look_at_unit(unit: str) -> Iterable[Diagnosis]:
    """See whether systemd starts the daemon at boot, and runs it now."""
    subject = "systemd unit"
    if not _SYSTEMD.is_dir():
        hint = "Start 'backupd daemon' by whatever starts programs here."
        yield doubtful(subject, "systemd does not run this machine.", hint)
        return
    enabled, active = (
        _asked("systemctl", "is-enabled", unit),
        _asked("systemctl", "is-active", unit),
    )
    if enabled == "enabled" and active == "active":
        yield good(subject, f"{unit} is enabled and active.")
    else:
        state = f"{enabled or 'not installed'}, {active or 'inactive'}"
        yield bad(subject, f"{unit} is {state}.", f"systemctl enable --now {unit}")


def _asked(*command: str) -> str:
    """Give the first line that a program prints; "" if it is not there or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().partition("\n")[0]
