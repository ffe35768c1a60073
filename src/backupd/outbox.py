"""Messages on their way: on the disk before they are sent, and until they are.

What happened is decided and written in one transaction: either the messages are there and it is
remembered that people were told, or neither. A message is marked as sent after the other side
took it; if the program dies between these two, it is sent again under the same id. That is the
one moment in which a repetition cannot be excluded, by anybody (RFC 5321, section 4.5.3.2.6 and
RFC 1047); the receiver can tell it by its id.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter

from backupd import state_file
from backupd.errors import NotifierError
from backupd.message import Message

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, channel TEXT NOT NULL,
    message TEXT NOT NULL, written_at TEXT NOT NULL, expires_at TEXT NOT NULL,
    due_at TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',
    ended_at TEXT, UNIQUE (id, channel)
) STRICT;
CREATE INDEX IF NOT EXISTS messages_waiting ON messages (channel, number) WHERE ended_at IS NULL;
CREATE TABLE IF NOT EXISTS channels (
    channel TEXT PRIMARY KEY, tries INTEGER NOT NULL, due_at TEXT NOT NULL, error TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS memory (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""
_MOST_WAITING = 500
_REMEMBERED = timedelta(days=90)
_MESSAGE = TypeAdapter(Message)

SHORTEST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)


def wait_after(tries: int) -> timedelta:
    """Say how long to wait after so many failed tries: 30 seconds, doubled up to an hour."""
    doubled: int = 2 ** min(max(tries - 1, 0), 10)
    return min(SHORTEST_WAIT * doubled, LONGEST_WAIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message for one channel, as `mail:admin@example.org`."""

    channel: str
    message: Message
    expires_at: datetime
    """After this it is no use any more."""
    number: int = 0
    tries: int = 0
    due_at: datetime | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Outbox:
    """What waits to be sent; the file is made when first written to, an absent one is empty."""

    path: Path

    @contextmanager
    def writing(self) -> Iterator["Draft"]:
        """Write messages and memory together: all of it, or nothing if the block raises.

        Raises:
            BackupdError: the file cannot be used.
        """
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            yield Draft(database)

    def memory(self, name: str) -> str:
        """Give what was remembered under a name, or ""."""
        if not state_file.is_there(self.path):
            return ""
        with self._open() as database:
            return Draft(database).memory(name)

    def waiting(self) -> list[Envelope]:
        """Give all that waits, in the order in which it was written."""
        return self._select("")

    def due(self, group: str, now: datetime) -> list[Envelope]:
        """Give what waits for a channel, or for the channels `group:…`, and is due.

        A due time further off than the longest wait was set by a clock that has been put back.
        """
        return [
            each
            for each in self._select(group)
            if each.due_at is None or each.due_at <= now or each.due_at - now > LONGEST_WAIT
        ]

    def end(self, envelope: Envelope, at: datetime, error: str = "") -> None:
        """Mark it as sent, or given up because of `error`; its text is forgotten, its id is not."""
        with self._open() as database:
            database.execute(
                "UPDATE messages SET ended_at = ?, error = ?, message = '' WHERE number = ?",
                (at.isoformat(), error, envelope.number),
            )
            if not error:
                database.execute("DELETE FROM channels WHERE channel = ?", (envelope.channel,))

    def postpone(self, envelope: Envelope, now: datetime, error: NotifierError) -> None:
        """Note a failed try: of the whole channel if it is temporary, else of this message."""
        due = (now + wait_after(envelope.tries + 1)).isoformat()
        with self._open() as database:
            database.execute(
                "UPDATE messages SET tries = tries + 1, error = ? WHERE number = ?",
                (str(error), envelope.number),
            )
            if error.temporary:
                database.execute(
                    "INSERT OR REPLACE INTO channels VALUES (?, ?, ?, ?)",
                    (envelope.channel, envelope.tries + 1, due, str(error)),
                )
            else:
                database.execute(
                    "UPDATE messages SET due_at = ? WHERE number = ?", (due, envelope.number)
                )

    def _select(self, group: str) -> list[Envelope]:
        if not state_file.is_there(self.path):
            return []
        with self._open() as database:
            rows = database.execute(
                "SELECT m.*, max(m.due_at, coalesce(c.due_at, '')) AS next_at "
                "FROM messages m LEFT JOIN channels c USING (channel) "
                "WHERE m.ended_at IS NULL ORDER BY m.number"
            ).fetchall()
        return [
            _envelope(row) for row in rows if not group or row["channel"].partition(":")[0] == group
        ]

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return state_file.opened(self.path, _SCHEMA, "outbox")


@dataclass(frozen=True, slots=True)
class Draft:
    """One transaction on the outbox."""

    _database: sqlite3.Connection

    def memory(self, name: str) -> str:
        """Give what was remembered under a name, or ""."""
        row = self._database.execute("SELECT value FROM memory WHERE name = ?", (name,)).fetchone()
        return row["value"] if row else ""

    def remember(self, name: str, value: str) -> None:
        """Remember a value under a name."""
        self._database.execute("INSERT OR REPLACE INTO memory VALUES (?, ?)", (name, value))

    def put(self, envelopes: Sequence[Envelope], now: datetime) -> None:
        """Add messages; one that a channel has, or had, under the same id is not added again.

        The oldest make room when more than 500 wait for a channel.
        """
        self._database.executemany(
            "INSERT OR IGNORE INTO messages "
            "(id, channel, message, written_at, expires_at, due_at) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    each.message.id,
                    each.channel,
                    _MESSAGE.dump_json(each.message).decode(),
                    now.isoformat(),
                    each.expires_at.isoformat(),
                    now.isoformat(),
                )
                for each in envelopes
            ],
        )
        for channel in {each.channel for each in envelopes}:
            self._database.execute(
                "UPDATE messages SET ended_at = ?, message = '', error = 'too many were waiting' "
                "WHERE ended_at IS NULL AND channel = ? AND number NOT IN (SELECT number FROM "
                "messages WHERE ended_at IS NULL AND channel = ? ORDER BY number DESC LIMIT ?)",
                (now.isoformat(), channel, channel, _MOST_WAITING),
            )
        self._database.execute(
            "DELETE FROM messages WHERE ended_at < ?", ((now - _REMEMBERED).isoformat(),)
        )


def _envelope(row: sqlite3.Row) -> Envelope:
    return Envelope(
        channel=row["channel"],
        message=_MESSAGE.validate_json(row["message"]),
        expires_at=datetime.fromisoformat(row["expires_at"]),
        number=row["number"],
        tries=row["tries"],
        due_at=datetime.fromisoformat(row["next_at"]),
        error=row["error"],
    )
