"""The room that a restore in place needs, on each of the file systems that it writes to."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from backupd.archive.survey import Survey, free_bytes
from backupd.archive.swap import Workspace
from backupd.errors import RefusedError

_MOUNTS = Path("/proc/self/mountinfo")
_MOUNT_POINT = 4
_ESCAPED = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """A workspace, and what is still to be written there."""

    workspace: Workspace
    survey: Survey


def refuse_too_small(fillings: Iterable[Filling]) -> None:
    """Make sure that each file system has space for all that is to be written there.

    Raises:
        RefusedError: one has not.
    """
    needed: dict[int, int] = {}
    for filling in fillings:
        location = filling.workspace.base.location
        device = _nearest(location).stat().st_dev
        needed[device] = needed.get(device, 0) + filling.survey.bytes_to_write
        free = free_bytes(location)
        if needed[device] > free:
            raise RefusedError(
                f"{location} has {free:,} bytes free, and {needed[device]:,} are to be written "
                "beside what is there.",
                hint="Free some space: the old files stay until all has ended well.",
            )


def _nearest(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def mount_points() -> frozenset[str]:
    """Name where file systems are mounted, also parts of one that is mounted elsewhere too.

    No file can be renamed from one of them to another. The format of the table is told in
    proc_pid_mountinfo(5).
    """
    lines = _MOUNTS.read_bytes().splitlines()
    return frozenset(os.fsdecode(_plain(line.split()[_MOUNT_POINT])) for line in lines)


def _plain(escaped: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), escaped)
