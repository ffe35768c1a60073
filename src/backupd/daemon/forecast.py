"""What an edit of the retention policy would do at the next clean, told before it does it."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from threading import Thread

import structlog

from backupd.daemon.operation import PROGRAM
from backupd.settings import Loaded, handover
from backupd.settings.environment import Found
from backupd.words import plural

_log = structlog.get_logger("backupd")

_PATIENCE = 600.0


def warn_of_removals(
    old: Loaded, new: Loaded, process: Mapping[str, str], program: Sequence[str] = PROGRAM
) -> Thread | None:
    """Compare the plans by the old and the new settings, beside the daemon's own work.

    The plans are made by processes of their own: a destination may be slow to list.
    """
    if old.settings.retention == new.settings.retention:
        return None

    def compare() -> None:
        before = removals(old.values, process, program)
        after = removals(new.values, process, program)
        if before is not None and after is not None and after > before:
            _log.warning(
                f"the new retention policy would remove {plural(after, 'backup')} at the next "
                f"clean, the one before it {before}",
                hint="'backupd clean --dry-run' shows which, and why.",
            )

    thread = Thread(target=compare, name="forecast", daemon=True)
    thread.start()
    return thread


def removals(
    values: Mapping[str, Found], process: Mapping[str, str], program: Sequence[str] = PROGRAM
) -> int | None:
    """Count what a clean by these settings would remove; None if that cannot be told."""
    descriptor = handover.hand_over(values)
    try:
        done = subprocess.run(
            [*program, "clean", "--dry-run", "--json"],
            env={**process, handover.VARIABLE: str(descriptor)},
            pass_fds=(descriptor,),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
        destinations = json.loads(done.stdout)["destinations"]
        return sum(not each["keep"] for place in destinations for each in place["backups"])
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError):
        return None
    finally:
        os.close(descriptor)
