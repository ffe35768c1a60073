"""Small SQLite files in a set's state directory: made when first used, changed all or nothing."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from backupd.errors import BackupdError

_LAID_DOWN = 1
"""SQLite's `user_version` of a file that has its tables: laying them down costs several syncs."""


def is_there(path: Path) -> bool:
    """Tell whether a file is there; one that may not be looked at is, and opening it will tell."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def opened(path: Path, schema: str, called: str) -> Iterator[sqlite3.Connection]:
    """Open a file and make one transaction of what is done with it; `called` as `history`.

    The schema's statements say `IF NOT EXISTS`: two programs may open a new file at once.

    Raises:
        BackupdError: the file cannot be used.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        with closing(sqlite3.connect(path, timeout=10)) as database, database:
            database.row_factory = sqlite3.Row
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version != _LAID_DOWN:
                database.executescript(
                    f"BEGIN IMMEDIATE; {schema} PRAGMA user_version = {_LAID_DOWN}; COMMIT"
                )
            yield database
    except OSError as error:
        raise BackupdError(
            f"The {called} {path} cannot be used: {error.strerror}.",
            hint="Run backupd as the user that owns its state directory.",
        ) from error
    except sqlite3.Error as error:
        raise BackupdError(
            f"The {called} {path} cannot be used: {error}.",
            hint="Move it away; backupd begins a new one, and no backup is lost.",
        ) from error
