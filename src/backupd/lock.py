"""One operation at a time on a backup set: an advisory lock that dies with its holder."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from backupd.errors import BackupdError, LockedError

_MOMENT, _LOOKS = 0.05, 20
"""Seconds between looks at a lock that nobody's name is on, and how many there are."""


class SetLock:
    """A file locked with flock(2); while it is held, it says by whom.

    The kernel releases it when the holder ends, however it ends: no stale locks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def hold(self, operation: str, at: datetime) -> Iterator[None]:
        """Hold the lock inside the `with` block.

        Raises:
            LockedError: another operation holds it; the message names it, its pid and start.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BackupdError(
                f"The lock file {self.path} cannot be opened: {error.strerror}.",
                hint="Run backupd as the user that owns its state directory.",
            ) from error
        try:
            _take(descriptor)
            holder = {
                "operation": operation,
                "pid": os.getpid(),
                "started_at": at.isoformat(timespec="seconds"),
            }
            _write(descriptor, json.dumps(holder))
            try:
                yield
            finally:
                _write(descriptor, "")
        finally:
            os.close(descriptor)

    def holder(self) -> dict[str, str | int]:
        """Tell who holds the lock (`operation`, `pid`, `started_at`); empty if nobody does."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return {}
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _holder(descriptor)
        else:
            return {}
        finally:
            os.close(descriptor)


def _take(descriptor: int) -> None:
    """Lock it, or say who has; whoever only looks whether it is locked holds it for a moment."""
    looks = _LOOKS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder, looks = _holder(descriptor), looks - 1
            if holder or not looks:
                raise _locked(holder) from error
            time.sleep(_MOMENT)
        else:
            return


def _write(descriptor: int, text: str) -> None:
    """Say who holds the lock; on a full disk nobody is named, and the lock is held all the same."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)


def _holder(descriptor: int) -> dict[str, str | int]:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}  # caught between locking and writing
    return holder if isinstance(holder, dict) else {}


def _locked(holder: dict[str, str | int]) -> LockedError:
    if not holder:
        return LockedError("Another operation on this backup set is just starting.")
    since = datetime.fromisoformat(str(holder["started_at"])).astimezone(UTC)
    return LockedError(
        f"Operation '{holder['operation']}' (pid {holder['pid']}) has been at work on this backup "
        f"set since {since:%Y-%m-%d %H:%M:%S} UTC."
    )
