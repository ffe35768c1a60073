"""The processes that this one has started."""

import os
from pathlib import Path


def children() -> set[int]:
    """Return their numbers."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return {int(number) for number in listed.split()}
