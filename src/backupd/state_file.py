"""Small SQLite files in a set's state directory: made when first used, changed all or nothing."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import structlog

from backupd.errors import BackupdError

_LAID_DOWN = 1
"""SQLite's `user_version` of a file that has its tables: laying them down costs several syncs."""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FULL = {sqlite3.SQLITE_FULL}
_CLOSED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}


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

    One that is damaged is set aside, for it must stop neither a backup nor a restore. The schema's
    statements say `IF NOT EXISTS`: two programs may open a new file at once.

    Raises:
        BackupdError: the file cannot be used.
    """
    number = 0
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_there(path):
            path.touch(mode=0o600)
        number = path.stat().st_ino
        try:
            connection = _connected(path, schema)
        except sqlite3.DatabaseError as error:
            _set_aside(path, number, called, error)
            connection = _connected(path, schema)
        with closing(connection) as database, database:
            yield database
    except OSError as error:
        raise BackupdError(
            f"The {called} {path} cannot be used: {error.strerror}.",
            hint="Run backupd as the user that owns its state directory.",
        ) from error
    except sqlite3.Error as error:
        with suppress(sqlite3.Error, OSError):
            _set_aside(path, number, called, error)
        raise BackupdError(
            f"The {called} {path} cannot be used: {error}.", hint=_hint(error)
        ) from error


def _connected(path: Path, schema: str) -> sqlite3.Connection:
    """Open it, with the tables if it is new; raise if it is not whole, as far as is soon seen."""
    database = sqlite3.connect(path, timeout=10)
    try:
        _lay_down(database, schema)
    except BaseException:
        database.close()
        raise
    database.row_factory = sqlite3.Row
    return database


def _lay_down(database: sqlite3.Connection, schema: str) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version != _LAID_DOWN:
        database.executescript(
            f"BEGIN IMMEDIATE; {schema} PRAGMA user_version = {_LAID_DOWN}; COMMIT"
        )
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    for (name,) in database.execute(tables).fetchall():
        database.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone()  # noqa: S608


def _set_aside(path: Path, number: int, called: str, error: sqlite3.Error) -> None:
    """Rename a damaged file, whose inode has that number, and what SQLite keeps beside it."""
    if not _is_one_of(error, _DAMAGED):
        raise error
    if path.stat().st_ino != number:
        return  # somebody else was quicker
    for ending in ("-journal", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(f"{path}.damaged{ending}")
    path.touch(mode=0o600)
    structlog.get_logger("backupd").warning(
        f"the {called} is damaged ({error}); it is set aside, and a new one is begun",
        file=f"{path}.damaged",
    )


def _is_one_of(error: sqlite3.Error, codes: set[int]) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in codes


def _hint(error: sqlite3.Error) -> str:
    if _is_one_of(error, _FULL):
        return "Free some space on the file system of the state directory."
    if _is_one_of(error, _CLOSED):
        return "Run backupd as the user that owns its state directory, which must be writable."
    if _is_one_of(error, _DAMAGED):
        return "It is set aside now; do the same again, and a new one is begun. No backup is lost."
    return "Move it away; backupd begins a new one, and no backup is lost."
