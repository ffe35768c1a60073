"""A dump of SQLite as SQL text, which laravel-backup makes, as the database that it stands for."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from backupd.errors import DamagedError

_HEADER = b"SQLite format 3\0"
"""What a database file begins with (https://www.sqlite.org/fileformat2.html#magic_header_string)."""
_OTHER_FILES = {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH}


def database_of(dump: Path) -> Path:
    """Give the database file that a dump is, or that its SQL text makes, which is put beside it.

    Whatever the text says, it reaches no other file.

    Raises:
        DamagedError: it is neither.
    """
    with dump.open("rb") as file:
        if file.read(len(_HEADER)) == _HEADER:
            return dump
    loaded = dump.with_name(f"{dump.name}.loaded")
    loaded.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(loaded, isolation_level=None)) as database:
            database.set_authorizer(_only_this_file)
            for statement in _statements(dump):
                database.execute(statement)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise DamagedError(
            f"The dump {dump.name} is neither a SQLite database nor SQL text for one: {error}.",
            hint="Extract it with --only-db --to DIR, and load it by the program that it is for.",
        ) from error
    loaded.chmod(dump.stat().st_mode)
    return loaded


def _only_this_file(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_DENY if action in _OTHER_FILES else sqlite3.SQLITE_OK


def _statements(dump: Path) -> Iterator[str]:
    statement = ""
    with dump.open(encoding="utf-8", newline="") as lines:
        for line in lines:
            statement += line
            if line.rstrip().endswith(";") and sqlite3.complete_statement(statement):
                yield statement
                statement = ""
    if statement.strip():
        yield statement
