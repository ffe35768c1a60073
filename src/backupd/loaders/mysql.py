"""MySQL and MariaDB dumps back into a database; the engine cannot do that in one transaction."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

from backupd.loaders.feeding import feed, load_errors, scratch_name
from backupd.sources.mysql_server import MysqlServer, quoted

_HALF_LOADED = "The database holds what was loaded until then: load it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqlLoader:
    """Loads with whichever client is there; a dump drops each table that it brings."""

    kinds: ClassVar[Collection[str]] = ("mariadb", "mysql")
    all_or_nothing: ClassVar[bool] = False
    name: str
    server: MysqlServer
    database: str

    def tables(self) -> Mapping[str, int]:
        """Count the rows of every table, and of views as 0; nothing if there is no database."""
        with load_errors(""):
            if self.database not in self.server.databases():
                return {}
            tables = self.server.tables(self.database)
            full = [table for table in tables if table.has_rows]
            counted = self.server.count(self.database, full)
        return dict.fromkeys((table.key for table in tables), 0) | counted

    def load(self, file_name: str, chunks: Iterable[bytes]) -> None:
        """Load a dump into an empty database, which is created if there is none."""
        with load_errors(""):
            self._tell(f"CREATE DATABASE IF NOT EXISTS {quoted(self.database)}")
        self.replace(file_name, chunks)

    def replace(self, file_name: str, chunks: Iterable[bytes]) -> None:
        """Load a dump, and with it replace what is in the database under the same names."""
        purpose = f"loading the database '{self.database}'"
        # In binary mode the client takes nothing that stands in the data for a command of its own.
        options = ("--binary-mode", "--batch", "--", self.database)
        command = self.server.command("client", *options, purpose=purpose)
        with load_errors(_HALF_LOADED):
            feed(command, file_name, chunks)

    @contextmanager
    def scratch(self) -> Iterator["MysqlLoader"]:
        """Make an empty database beside this one, for a trial, and drop it at the end."""
        name = scratch_name()
        with load_errors(""):
            self._tell(f"CREATE DATABASE {quoted(name)}")
        try:
            yield replace(self, database=name)
        finally:
            with load_errors(f"The scratch database {name} is still there."):
                self._tell(f"DROP DATABASE {quoted(name)}")

    def _tell(self, statement: str) -> None:
        self.server.ask("", f"{statement};")
