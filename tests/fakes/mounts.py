"""Small file systems in memory, and second places of the same one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """Mount something at `place`, which is made; skip the test where nobody may."""
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", *options, str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def tmpfs(size: str) -> tuple[str, ...]:
    """Give the options for a file system in memory, of a size such as `3m`."""
    return ("-t", "tmpfs", "-o", f"size={size}", "none")
