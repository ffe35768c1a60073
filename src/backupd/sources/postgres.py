"""PostgreSQL databases as dumps: pg_dump's output, and rows counted in the very state it dumps."""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from functools import partial

from backupd.model import DatabaseFacts, Member
from backupd.sources.command import Command, Program, stream_of
from backupd.sources.dump import (
    Compression,
    DumpOccasion,
    DumpShape,
    believable,
    compressed,
    dump_name,
)
from backupd.sources.postgres_server import PostgresServer, PostgresSession
from backupd.sources.sighting import Sighting, refuse_unreadable
from backupd.sources.tables import ALL_TABLES, Table, TableSelection
from backupd.words import plural

COUNTED_UP_TO = 10 * 1024**3
"""Bytes of tables up to which rows are counted; beyond, the planner's estimates are taken."""
_SNAPSHOT = """
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT to_json(pg_export_snapshot());
"""


class PostgresFormat(StrEnum):
    """How pg_dump writes."""

    CUSTOM = "custom"
    """For pg_restore, which restores tables one by one if need be."""
    PLAIN = "plain"
    """SQL, for psql."""


_SHAPES = {
    PostgresFormat.CUSTOM: DumpShape(extension="dump", minimum=500, begins=b"PGDMP", ends=b""),
    PostgresFormat.PLAIN: DumpShape(
        extension="sql", minimum=300, ends=b"\n-- PostgreSQL database dump complete\n"
    ),
}
_GLOBALS = DumpShape(
    extension="sql", minimum=100, ends=b"\n-- PostgreSQL database cluster dump complete\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresDatabase:
    """One database, or all of a server whose address names none; each becomes one dump.

    Tables are dumped and counted as they stand in one snapshot, while others write. A custom
    dump passes through pg_restore on its way, which reads it to its end: the format has no other
    sign that it is whole. Raises DumpError.
    """

    name: str
    server: PostgresServer
    when: datetime
    zone: tzinfo
    selection: TableSelection = ALL_TABLES
    format: PostgresFormat = PostgresFormat.CUSTOM
    compression: Compression = Compression.NONE
    options: Sequence[str] = ()
    schema_only: bool = False
    with_globals: bool = False
    """Whether roles and tablespaces, which belong to no database, are dumped too."""

    def members(self) -> Iterator[Member]:
        """Look at the server, and give a dump of each database, and of the globals if wanted."""
        wanted = self.server.access.address.database
        databases = [wanted] if wanted else self.server.databases()
        for database in databases:
            version = self.server.refuse_old_client(database)
            occasion = self._occasion(self.name if wanted else dump_name(self.name, database))
            dump = partial(self._dump, database, occasion, version)
            yield occasion.member(self._extension(), version, dump)
        if self.with_globals:
            occasion = self._occasion(f"{self.name}.@globals")
            yield occasion.plain_member(_GLOBALS.extension, self._dump_globals)

    def examine(self) -> Iterator[Sighting]:
        """Look at everything that a dump needs, and say what there is.

        Raises:
            DumpError: a dump would fail, for this reason.
        """
        wanted = self.server.access.address.database
        for database in [wanted] if wanted else self.server.databases():
            version = self.server.refuse_old_client(database)
            self.server.command("pg_restore", database="", purpose="reading back")
            with self.server.session(database) as session:
                tables = session.tables()
                unreadable = session.unreadable()
            self.selection.refuse_unmatched(tables, database)
            kept = self._kept(tables)
            left_out = {table.key for table in tables} - {table.key for table in kept}
            refuse_unreadable([name for name in unreadable if name not in left_out], database)
            yield Sighting(
                f"The database '{database}' on PostgreSQL {version} has "
                f"{plural(len(kept), 'table')} to dump, all of which may be read."
            )

    def _occasion(self, name: str) -> DumpOccasion:
        return DumpOccasion(kind="postgresql", name=name, when=self.when, zone=self.zone)

    def _extension(self) -> str:
        packed = self.compression is Compression.GZIP and self.format is PostgresFormat.PLAIN
        return _SHAPES[self.format].extension + (".gz" if packed else "")

    def _dump(
        self, database: str, occasion: DumpOccasion, version: str, learnt: list[DatabaseFacts]
    ) -> Iterator[bytes]:
        with self.server.session(database) as session:
            snapshot: str = session.ask(_SNAPSHOT)[0]
            tables = session.tables()
            self.selection.refuse_unmatched(tables, database)
            counted = self._counted(session, tables)
            command = self._command(database, snapshot, tables)
            if self.format is PostgresFormat.CUSTOM:
                yield from believable(self._read_back(command), _SHAPES[self.format], database)
            else:
                chunks = believable(stream_of(command), _SHAPES[self.format], database)
                yield from compressed(chunks, self.compression)
        estimated = {table.key: table.rows for table in self._kept(tables)}
        rows = estimated if counted is None else counted
        learnt.append(
            occasion.facts(
                version=version,
                exact=counted is not None,
                tables=rows,
                left_out=self._left_out(tables),
            )
        )

    def _kept(self, tables: list[Table]) -> list[Table]:
        return [table for table in tables if table.has_rows and not self.selection.omits(table)]

    def _full(self, tables: list[Table]) -> list[Table]:
        kept = [] if self.schema_only else self._kept(tables)
        return [table for table in kept if self.selection.keeps_rows(table)]

    def _left_out(self, tables: list[Table]) -> tuple[str, ...]:
        full = set(self._full(tables))
        return tuple(table.key for table in tables if table.has_rows and table not in full)

    def _counted(self, session: PostgresSession, tables: list[Table]) -> dict[str, int] | None:
        """Count the rows that will be in the dump; None if that would take too long."""
        kept = self._kept(tables)
        full = self._full(tables)
        if sum(table.size for table in full) > COUNTED_UP_TO:
            return None
        return dict.fromkeys((table.key for table in kept), 0) | session.count(full)

    def _command(self, database: str, snapshot: str, tables: list[Table]) -> Command:
        selection = self.selection
        options = [
            f"--format={self.format}",
            f"--snapshot={snapshot}",
            f"--lock-wait-timeout={int(self.server.access.stall_limit * 1000)}",
            "--no-password",
        ]
        if self.format is PostgresFormat.CUSTOM:
            options.append(f"--compress={6 if self.compression is Compression.GZIP else 0}")
        if self.schema_only:
            options.append("--schema-only")
        for table in tables:
            if selection.omits(table):
                options += [] if selection.include else [f"--exclude-table={_exactly(table)}"]
            else:
                options += [f"--table={_exactly(table)}"] if selection.include else []
                if not selection.keeps_rows(table):
                    options.append(f"--exclude-table-data={_exactly(table)}")
        purpose = f"dumping the database '{database}'"
        return self.server.command(
            "pg_dump", *options, *self.options, database=database, purpose=purpose
        )

    def _read_back(self, command: Command) -> Iterator[bytes]:
        """Give the dump, and have pg_restore read every byte of it at the same time."""
        check = self.server.command(
            "pg_restore",
            "--file=/dev/null",
            database="",
            purpose=f"reading back what pg_dump wrote when {command.purpose}",
        )
        with Program(check, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as reader:
            for chunk in stream_of(command):
                reader.write(chunk)
                yield chunk
            reader.finish()

    def _dump_globals(self) -> Iterator[bytes]:
        purpose = "dumping roles and tablespaces"
        command = self.server.command(
            "pg_dumpall", "--globals-only", "--no-password", database="", purpose=purpose
        )
        yield from believable(stream_of(command), _GLOBALS, "roles and tablespaces")


def _exactly(table: Table) -> str:
    """Write a pattern that stands for one table and no other."""
    parts = (table.schema, table.name)
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
