"""What ran, what was copied and what was proved, in SQLite in the set's state directory."""

import json
import sqlite3
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backupd import state_file
from backupd.model import Outcome
from backupd.records import ArchiveRecord, CopyRecord, ProofRecord, Run, Sighting

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, operation TEXT NOT NULL, started_at TEXT NOT NULL,
    ended_at TEXT NOT NULL, outcome TEXT NOT NULL, error TEXT NOT NULL, facts TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS runs_by_operation ON runs (operation, started_at);
CREATE TABLE IF NOT EXISTS copies (
    destination TEXT NOT NULL, key TEXT NOT NULL, at TEXT NOT NULL, size INTEGER NOT NULL,
    sha256 TEXT NOT NULL, scope TEXT NOT NULL, PRIMARY KEY (destination, key)
) STRICT;
CREATE TABLE IF NOT EXISTS archives (
    key TEXT PRIMARY KEY, encrypted INTEGER NOT NULL, dumps TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS proofs (
    destination TEXT NOT NULL, key TEXT NOT NULL, operation TEXT NOT NULL, at TEXT NOT NULL,
    percent INTEGER NOT NULL, seconds REAL NOT NULL, bytes INTEGER NOT NULL, flaw TEXT NOT NULL,
    PRIMARY KEY (destination, key, operation)
) STRICT;
CREATE TABLE IF NOT EXISTS sightings (
    destination TEXT PRIMARY KEY, at TEXT NOT NULL, reachable INTEGER NOT NULL,
    healthy INTEGER NOT NULL, count INTEGER NOT NULL, bytes INTEGER NOT NULL, newest TEXT NOT NULL
) STRICT;
"""


_KEPT = 5000
"""Runs of each operation: more than thirteen years of nights."""


@dataclass(frozen=True, slots=True)
class History:
    """The record; it is made when first written to, and an absent one is empty."""

    path: Path

    def record_run(self, run: Run) -> None:
        """Note an operation that ended; of each operation the last 5000 runs are kept."""
        with self.opened() as database:
            database.execute(
                "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    run.run_id,
                    run.operation,
                    run.started_at.isoformat(),
                    run.ended_at.isoformat(),
                    run.outcome,
                    run.error,
                    json.dumps(dict(run.facts)),
                ),
            )
            database.execute(
                "DELETE FROM runs WHERE operation = :operation AND rowid <= (SELECT rowid FROM "
                "runs WHERE operation = :operation ORDER BY rowid DESC LIMIT 1 OFFSET :kept)",
                {"operation": run.operation, "kept": _KEPT},
            )

    def runs(self, operation: str | None = None, *, limit: int = 100) -> list[Run]:
        """Give the last runs, the newest first."""
        where = "" if operation is None else "WHERE operation = ?"
        query = f"SELECT * FROM runs {where} ORDER BY rowid DESC LIMIT ?"  # noqa: S608
        with self.opened() as database:
            rows = database.execute(query, (*([operation] if operation else []), limit)).fetchall()
        return [_run(row) for row in rows]

    def last_noted(self) -> Run | None:
        """Give the run that was noted last, whatever the clock said then."""
        with self.opened() as database:
            row = database.execute("SELECT * FROM runs ORDER BY rowid DESC LIMIT 1").fetchone()
        return _run(row) if row else None

    def last_success(self, operation: str) -> Run | None:
        """Give the newest run of the operation that succeeded in full."""
        query = "SELECT * FROM runs WHERE operation = ? AND outcome = ? ORDER BY rowid DESC LIMIT 1"
        with self.opened() as database:
            row = database.execute(query, (operation, Outcome.SUCCEEDED)).fetchone()
        return _run(row) if row else None

    def record_copy(self, copy: CopyRecord) -> None:
        """Note that a destination confirmed to hold an archive."""
        with self.opened() as database:
            database.execute(
                "INSERT OR REPLACE INTO copies VALUES (?, ?, ?, ?, ?, ?)",
                (
                    copy.destination,
                    copy.key,
                    copy.at.isoformat(),
                    copy.size,
                    copy.sha256,
                    copy.scope,
                ),
            )

    def copies(self, destination: str) -> dict[str, CopyRecord]:
        """Give what is known of the archives at a destination, by key."""
        with self.opened() as database:
            rows = database.execute(
                "SELECT * FROM copies WHERE destination = ?", (destination,)
            ).fetchall()
        return {
            row["key"]: CopyRecord(**{**dict(row), "at": datetime.fromisoformat(row["at"])})
            for row in rows
        }

    def record_archive(self, archive: ArchiveRecord) -> None:
        """Note what is known of an archive that was just built."""
        with self.opened() as database:
            database.execute(
                "INSERT OR REPLACE INTO archives VALUES (?, ?, ?)",
                (archive.key, archive.encrypted, json.dumps(dict(archive.dumps))),
            )

    def archives(self) -> dict[str, ArchiveRecord]:
        """Give what is known of the archives that were built here, by key."""
        with self.opened() as database:
            rows = database.execute("SELECT * FROM archives").fetchall()
        return {
            row["key"]: ArchiveRecord(
                key=row["key"], encrypted=bool(row["encrypted"]), dumps=json.loads(row["dumps"])
            )
            for row in rows
        }

    def record_proof(self, proof: ProofRecord) -> None:
        """Note how a backup was found to be."""
        with self.opened() as database:
            database.execute(
                "INSERT OR REPLACE INTO proofs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    proof.destination,
                    proof.key,
                    proof.operation,
                    proof.at.isoformat(),
                    proof.percent,
                    proof.seconds,
                    proof.bytes,
                    proof.flaw,
                ),
            )

    def proofs(self, destination: str) -> dict[str, list[ProofRecord]]:
        """Give the last verify and drill of each backup at a destination, by key, newest first.

        What they say of the backup, `condition_of` tells. What was found before the copy that is
        there now was confirmed says nothing of it.
        """
        query = (
            "SELECT proofs.* FROM proofs LEFT JOIN copies USING (destination, key) "
            "WHERE proofs.destination = ? AND (copies.at IS NULL OR copies.at <= proofs.at) "
            "ORDER BY proofs.at DESC"
        )
        with self.opened() as database:
            rows = database.execute(query, (destination,)).fetchall()
        found: dict[str, list[ProofRecord]] = {}
        for row in rows:
            values = {**dict(row), "at": datetime.fromisoformat(row["at"])}
            found.setdefault(row["key"], []).append(ProofRecord(**values))
        return found

    def record_sighting(self, sighting: Sighting) -> None:
        """Note what a destination holds now."""
        with self.opened() as database:
            database.execute(
                "INSERT OR REPLACE INTO sightings VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    sighting.destination,
                    sighting.at.isoformat(),
                    sighting.reachable,
                    sighting.healthy,
                    sighting.count,
                    sighting.bytes,
                    sighting.newest.isoformat() if sighting.newest else "",
                ),
            )

    def sightings(self) -> dict[str, Sighting]:
        """Give what was last seen of every destination, by name."""
        with self.opened() as database:
            rows = database.execute("SELECT * FROM sightings").fetchall()
        return {row["destination"]: _sighting(row) for row in rows}

    def opened(self) -> AbstractContextManager[sqlite3.Connection]:
        """Open the record; what is done with it is kept as a whole or not at all."""
        return state_file.opened(self.path, _SCHEMA, "history")


def _run(row: sqlite3.Row) -> Run:
    return Run(
        run_id=row["run_id"],
        operation=row["operation"],
        started_at=datetime.fromisoformat(row["started_at"]),
        ended_at=datetime.fromisoformat(row["ended_at"]),
        outcome=Outcome(row["outcome"]),
        error=row["error"],
        facts=json.loads(row["facts"]),
    )


def _sighting(row: sqlite3.Row) -> Sighting:
    return Sighting(
        destination=row["destination"],
        at=datetime.fromisoformat(row["at"]),
        reachable=bool(row["reachable"]),
        healthy=bool(row["healthy"]),
        count=row["count"],
        bytes=row["bytes"],
        newest=datetime.fromisoformat(row["newest"]) if row["newest"] else None,
    )
