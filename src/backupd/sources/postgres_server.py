"""A PostgreSQL server, spoken to by psql."""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from backupd.errors import DumpError
from backupd.sources.command import GIVEN_FILE, Command, Program, find_program, output_of
from backupd.sources.database_url import DatabaseAccess, DatabaseAddress
from backupd.sources.tables import Table

_PACKAGE = "postgresql-client"
_READY = "backupd is ready"
_DATABASES = """
SELECT to_json(datname) FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname;
"""
_TABLES = """
SELECT json_build_object(
    'schema', n.nspname, 'name', c.relname,
    'key', quote_ident(n.nspname) || '.' || quote_ident(c.relname),
    'rows', greatest(c.reltuples, 0)::bigint, 'has_rows', c.relkind = 'r',
    'size', CASE WHEN c.relkind = 'r' THEN pg_table_size(c.oid) ELSE 0 END,
    'root_schema', coalesce(rn.nspname, ''), 'root_name', coalesce(r.relname, ''))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_class r ON c.relispartition AND r.oid = pg_partition_root(c.oid)
    LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname;
"""
_UNREADABLE = """
SELECT to_json(quote_ident(n.nspname) || '.' || quote_ident(c.relname))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
    AND CASE c.relkind WHEN 'S' THEN NOT has_sequence_privilege(c.oid, 'SELECT')
        ELSE NOT has_table_privilege(c.oid, 'SELECT') OR row_security_active(c.oid) END
    AND c.relkind IN ('r', 'p', 'S')
ORDER BY n.nspname, c.relname;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A server, and how to reach it.

    Raises DumpError for everything that goes wrong.
    """

    access: DatabaseAccess

    def command(self, name: str, *options: str, database: str, purpose: str) -> Command:
        """Make the command of one of the client's programs; libpq reads the rest by itself.

        The password file is as https://www.postgresql.org/docs/current/libpq-pgpass.html says.
        """
        own = name == "pg_dump" and self.access.program
        program = find_program(
            (self.access.program,) if own else (name,), beside=self.access.program, package=_PACKAGE
        )
        address = self.access.address
        password = re.sub(r"([\\:])", r"\\\1", address.password)
        environment = {
            "PGHOST": address.host or address.socket,
            "PGPORT": str(address.port or ""),
            "PGUSER": address.user,
            "PGDATABASE": database,
            "PGPASSFILE": GIVEN_FILE if password else "",
            "PGAPPNAME": "backupd",
            "PGCONNECT_TIMEOUT": address.options.get("connect_timeout", "30"),
            **{f"PG{name.upper()}": address.options[name] for name in _tls(address)},
        }
        return Command(
            arguments=(program, *options),
            purpose=purpose,
            environment={name: value for name, value in environment.items() if value},
            secret=f"*:*:*:*:{password}\n" if password else "",
            hidden=(address.password, password),
            time_limit=self.access.time_limit,
            stall_limit=self.access.stall_limit,
        )

    def _psql(self, database: str) -> Command:
        plain = ("--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--no-password")
        command = self.command(
            "psql",
            *plain,
            "--set=ON_ERROR_STOP=1",
            database=database,
            purpose=f"asking the database '{database}'",
        )
        environment = {**command.environment, "PGCLIENTENCODING": "UTF8"}
        return replace(command, environment=environment)

    def ask(self, database: str, sql: str) -> list[Any]:
        """Send statements whose rows are one JSON value each, and return those."""
        return [json.loads(line) for line in output_of(self._psql(database), sql).splitlines()]

    @contextmanager
    def session(self, database: str) -> Iterator["PostgresSession"]:
        """Hold one connection open."""
        pipe = subprocess.PIPE
        with Program(self._psql(database), stdin=pipe, stdout=pipe) as program:
            yield PostgresSession(program)
            program.finish()

    def databases(self) -> list[str]:
        """Name every database that can be dumped."""
        names: list[str] = self.ask("postgres", _DATABASES)
        return names

    def refuse_old_client(self, database: str) -> str:
        """Make sure that pg_dump is not older than the server, and return the server's version."""
        version = output_of(self.command("pg_dump", "--version", database="", purpose="starting"))
        match = re.search(r"\(PostgreSQL\) (\d+)", version)
        number, text = self.ask(
            database,
            "SELECT json_build_array(current_setting('server_version_num')::int, "
            "current_setting('server_version'));",
        )[0]
        if match is not None and int(match[1]) < number // 10_000:
            raise DumpError(
                f"pg_dump is of version {match[1]} and cannot dump the database '{database}': "
                f"its server is PostgreSQL {text}.",
                hint=f"Install postgresql-client-{number // 10_000}, and name its pg_dump in "
                "BACKUP_DATABASES__…__PROGRAM.",
            )
        return str(text)


class PostgresSession:
    """One open connection, in which things can be asked one after the other."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def ask(self, sql: str) -> list[Any]:
        """Send statements whose rows are one JSON value each, and return those."""
        self._program.write(f"{sql}\nSELECT '{_READY}';\n".encode())
        answer, end = b"", f"{_READY}\n".encode()
        while not answer.endswith(end):
            if not (chunk := self._program.read()):
                self._program.finish()
                raise DumpError("psql ended before it was asked to.")
            answer += chunk
        return [json.loads(line) for line in answer.removesuffix(end).splitlines()]

    def tables(self) -> list[Table]:
        """List every table and view that pg_dump would dump."""
        return [Table(**row) for row in self.ask(_TABLES)]

    def unreadable(self) -> list[str]:
        """Name tables and sequences that the user may not read, or not all rows of."""
        names: list[str] = self.ask(_UNREADABLE)
        return names

    def count(self, tables: Sequence[Table]) -> dict[str, int]:
        """Count the rows of each table."""
        counts = [f"SELECT count(*) FROM ONLY {table.key};" for table in tables]  # noqa: S608
        rows = self.ask("\n".join(counts))
        return {table.key: count for table, count in zip(tables, rows, strict=True)}


def _tls(address: DatabaseAddress) -> list[str]:
    return [name for name in address.options if name.startswith("ssl")]
