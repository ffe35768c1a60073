"""PostgreSQL dumps back into a database, in one transaction."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

from backupd.loaders.feeding import feed, load_errors, scratch_name
from backupd.sources.command import Command
from backupd.sources.postgres_server import PostgresServer

_UNTOUCHED = "The database is as it was before."
_DROP_ALL = """
DO $$ DECLARE name text; BEGIN
    PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
    FOR name IN SELECT nspname FROM pg_namespace
        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    LOOP EXECUTE format('DROP SCHEMA %I CASCADE', name); END LOOP;
    CREATE SCHEMA public;
END $$;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresLoader:
    """Loads with pg_restore (custom format) or psql (SQL); all of a dump, or nothing of it.

    What is loaded for a trial belongs to the user who loads it: the roles of the database that
    was dumped need not be there. `replace` of a SQL dump drops everything else in the database.
    """

    kinds: ClassVar[Collection[str]] = ("postgresql",)
    all_or_nothing: ClassVar[bool] = True
    name: str
    server: PostgresServer
    database: str
    on_trial: bool = False

    def tables(self) -> Mapping[str, int]:
        """Count the rows of every table, and of views as 0; nothing if there is no database."""
        with load_errors(""):
            if not self._exists():
                return {}
            with self.server.session(self.database) as session:
                tables = session.tables()
                counted = session.count([table for table in tables if table.has_rows])
        return dict.fromkeys((table.key for table in tables), 0) | counted

    def load(self, file_name: str, chunks: Iterable[bytes]) -> None:
        """Load a dump into an empty database, which is created if there is none."""
        with load_errors(_UNTOUCHED):
            if not self._exists():
                self._tell(f"CREATE DATABASE {_quoted(self.database)} TEMPLATE template0;")
            feed(self._loading(file_name), file_name, chunks)

    def replace(self, file_name: str, chunks: Iterable[bytes]) -> None:
        """Load a dump, and with it replace what is in the database under the same names."""
        is_sql = _is_sql(file_name)
        first = (f"--command={_DROP_ALL}",) if is_sql else ("--clean", "--if-exists")
        with load_errors(_UNTOUCHED):
            feed(self._loading(file_name, *first), file_name, chunks)

    @contextmanager
    def scratch(self) -> Iterator["PostgresLoader"]:
        """Make an empty database beside this one, for a trial, and drop it at the end."""
        name = scratch_name()
        with load_errors(""):
            self._tell(f"CREATE DATABASE {name} TEMPLATE template0;")
        try:
            yield replace(self, database=name, on_trial=True)
        finally:
            with load_errors(f"The scratch database {name} is still there."):
                self._tell(f"DROP DATABASE {name} WITH (FORCE);")

    def _loading(self, file_name: str, *options: str) -> Command:
        purpose = f"loading the database '{self.database}'"
        if _is_sql(file_name):
            return self.server.command(
                "psql",
                *("--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"),
                *("--single-transaction", *options, "--file=-"),
                database=self.database,
                purpose=purpose,
            )
        return self.server.command(
            "pg_restore",
            f"--dbname=dbname='{_escaped(self.database)}'",
            *("--single-transaction", "--exit-on-error", "--no-password"),
            *(("--no-owner", "--no-privileges") if self.on_trial else ()),
            *options,
            database=self.database,
            purpose=purpose,
        )

    def _exists(self) -> bool:
        return self.database in self.server.databases()

    def _tell(self, statement: str) -> None:
        self.server.ask("postgres", statement)


def _is_sql(file_name: str) -> bool:
    return ".sql" in file_name[-len(".sql.gz") :]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _escaped(value: str) -> str:
    """Escape for a connection string (PostgreSQL's manual, section 34.1.1)."""
    return value.replace("\\", "\\\\").replace("'", "\\'")
