"""One operation at a time."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backupd.errors import LockedError
from backupd.lock import SetLock

AT = datetime(2025, 11, 8, 1, tzinfo=UTC)
HOLD = """
import sys, time
from datetime import datetime, UTC
from pathlib import Path
from backupd.lock import SetLock
with SetLock(Path(sys.argv[1])).hold("backup", datetime(2025, 11, 8, 1, tzinfo=UTC)):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "lock"


def holder(path: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_second_operation_is_told_who_holds_the_lock_since_when(path: Path) -> None:
    since = "since 2025-11-08 01:00:00 UTC"
    with holder(path) as other:
        with (
            pytest.raises(LockedError, match=rf"'backup' \(pid {other.pid}\).* {since}\."),
            SetLock(path).hold("clean", AT),
        ):
            pass
        assert SetLock(path).holder()["operation"] == "backup"
        other.communicate()


def test_the_lock_of_a_killed_process_is_free(path: Path) -> None:
    with holder(path) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
    with SetLock(path).hold("clean", AT):
        assert SetLock(path).holder()["pid"] == os.getpid()


def test_whoever_only_looks_is_not_taken_for_an_operation(path: Path) -> None:
    with SetLock(path).hold("clean", AT):
        pass
    with path.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.2, fcntl.flock, (looking, fcntl.LOCK_UN)).start()
        with SetLock(path).hold("clean", AT):
            pass


def test_on_a_full_disk_the_lock_is_held_and_names_nobody(path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to("/dev/full")
    with SetLock(path).hold("clean", AT):
        assert SetLock(path).holder() == {}


def test_a_released_lock_names_nobody(path: Path) -> None:
    with SetLock(path).hold("clean", AT):
        pass
    assert SetLock(path).holder() == {}


def test_a_lock_that_never_was_names_nobody(path: Path) -> None:
    assert SetLock(path).holder() == {}


def test_the_lock_file_is_private(path: Path) -> None:
    with SetLock(path).hold("clean", AT):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
