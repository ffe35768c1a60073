"""What a crash of the machine must not take back."""

import os
from pathlib import Path


def sync_directory(path: Path) -> None:
    """Make sure that names which were just given, or taken, in a directory stay so (fsync(2)).

    Raises:
        OSError: as the system says.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
