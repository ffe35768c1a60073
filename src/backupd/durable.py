"""What a crash of the machine must not take back."""

import os
from pathlib import Path
from typing import BinaryIO


def create_private(path: Path) -> BinaryIO:
    """Open a file of mode 0600 that is empty.

    Raises:
        OSError: as the system says.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 and make sure of its content; its name is for the directory.

    Raises:
        OSError: as the system says.
    """
    with create_private(path) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


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
