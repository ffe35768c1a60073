"""How an archive is to be made."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from backupd.model import Compression


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What is chosen before an archive is built; the writer is slow to import, and this is not."""

    compression: Compression = Compression.FAST
    hide_names: bool = False
    """Whether an encrypted archive is one encrypted member of an outer ZIP (see `sealed.py`)."""
    workers: int = 0
    """Processes that read and deflate; 0: as many as there are processors."""
    previous: Path | None = None
    """The archive before this one, to take over from it what is unchanged."""
    full_every: timedelta = timedelta(days=30)
    """After so long everything is read again."""
    new_salt: Callable[[int], bytes] = os.urandom
    """Gives so many bytes that were never given before; only tests give others."""
