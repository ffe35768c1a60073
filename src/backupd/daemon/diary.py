"""Which due times are done with, kept in SQLite beside the history, so that a restart knows."""

import sqlite3
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backupd import state_file
from backupd.daemon.schedule import Past, believed

_SCHEMA = """
CREATE TABLE IF NOT EXISTS lines (
    operation TEXT PRIMARY KEY, line TEXT NOT NULL, since TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tries (
    operation TEXT NOT NULL, due TEXT NOT NULL, started_at TEXT NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0
) STRICT;
"""
_KEPT = 100


@dataclass(frozen=True, slots=True)
class Diary:
    """Every write is durable before it returns: what is started is known to have been started."""

    path: Path

    def begin(self, operation: str, line: str, now: datetime) -> bool:
        """Note the line that is followed; a new or changed one counts from now, and is True."""
        with self._open() as database:
            row = database.execute(
                "SELECT line, since FROM lines WHERE operation = ?", (operation,)
            ).fetchone()
            if row and row[0] == line and believed(datetime.fromisoformat(row[1]), now):
                return False
            database.execute(
                "INSERT OR REPLACE INTO lines VALUES (?, ?, ?)", (operation, line, now.isoformat())
            )
            return True

    def past(self, operation: str, now: datetime) -> Past:
        """Tell up to when the operation's due times are done with, and what was tried since."""
        with self._open() as database:
            moments = database.execute(
                "SELECT since FROM lines WHERE operation = :operation "
                "UNION ALL SELECT due FROM tries WHERE operation = :operation AND ended",
                {"operation": operation},
            ).fetchall()
            tries = database.execute(
                "SELECT due, started_at FROM tries WHERE operation = ? AND NOT ended", (operation,)
            ).fetchall()
        known = [datetime.fromisoformat(moment) for (moment,) in moments]
        settled = max((each for each in known if believed(each, now)), default=now)
        unfinished = [
            (datetime.fromisoformat(due), datetime.fromisoformat(at)) for due, at in tries
        ]
        return Past(
            settled=settled,
            unfinished=tuple(each for each in unfinished if each[0] > settled),
        )

    def started(self, operation: str, due: datetime, at: datetime) -> None:
        """Note that a run for a due time is about to begin."""
        with self._open() as database:
            database.execute(
                "INSERT INTO tries VALUES (?, ?, ?, 0)",
                (operation, due.isoformat(), at.isoformat()),
            )

    def ended(self, operation: str, due: datetime) -> None:
        """Note that a run for a due time came to its end, good or bad."""
        with self._open() as database:
            database.execute(
                "UPDATE tries SET ended = 1 WHERE operation = ? AND due = ?",
                (operation, due.isoformat()),
            )
            _trim(database, operation)

    def withdrawn(self, operation: str, due: datetime, at: datetime) -> None:
        """Forget a run that could not even begin, because another operation was at work."""
        with self._open() as database:
            database.execute(
                "DELETE FROM tries WHERE operation = ? AND due = ? AND started_at = ?",
                (operation, due.isoformat(), at.isoformat()),
            )

    def given_up(self, operation: str, due: datetime, at: datetime) -> None:
        """Note that there will be no run for a due time, nor for any before it."""
        with self._open() as database:
            database.execute(
                "INSERT INTO tries VALUES (?, ?, ?, 1)",
                (operation, due.isoformat(), at.isoformat()),
            )
            _trim(database, operation)

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return state_file.opened(self.path, _SCHEMA, "diary")


def _trim(database: sqlite3.Connection, operation: str) -> None:
    """Keep the last rows of each operation; a schedule of every minute fills no disk."""
    database.execute(
        "DELETE FROM tries WHERE operation = :operation AND rowid NOT IN (SELECT rowid "
        "FROM tries WHERE operation = :operation ORDER BY rowid DESC LIMIT :kept)",
        {"operation": operation, "kept": _KEPT},
    )
