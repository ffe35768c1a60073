"""MySQL and MariaDB databases as dumps: what mariadb-dump or mysqldump writes, as SQL."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial

from backupd.errors import DumpError
from backupd.model import DatabaseFacts, Member
from backupd.sources.command import Command, stream_of
from backupd.sources.dump import (
    Compression,
    DumpOccasion,
    DumpShape,
    believable,
    compressed,
    dump_name,
)
from backupd.sources.mysql_server import MysqlServer, quoted
from backupd.sources.sighting import Sighting
from backupd.sources.tables import ALL_TABLES, Table, TableSelection
from backupd.words import plural

COUNTED_UP_TO = 10 * 1024**3
"""Bytes of tables up to which rows are counted; beyond, the server's estimates are taken."""
_SHAPE = DumpShape(extension="sql", minimum=500, ends=b"\n-- Dump completed")
_OPTIONS = ("--single-transaction", "--quick", "--triggers", "--hex-blob", "--no-tablespaces")
_BESIDE_TABLES = ("--routines", "--events")


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqlDatabase:
    """One database, or all of a server whose address names none; each becomes one dump.

    Tables of engines with transactions are dumped as they stand at one moment, while others
    write; a warning names the others. Rows are counted just before. Raises DumpError.
    """

    name: str
    server: MysqlServer
    when: datetime
    zone: tzinfo
    selection: TableSelection = ALL_TABLES
    compression: Compression = Compression.NONE
    options: Sequence[str] = ()
    schema_only: bool = False

    def members(self) -> Iterator[Member]:
        """Look at the server, and give a dump of each database."""
        version = self.server.version()
        kind = "mariadb" if "MariaDB" in version else "mysql"
        extension = _SHAPE.extension + (".gz" if self.compression is Compression.GZIP else "")
        wanted = self.server.access.address.database
        for database in [wanted] if wanted else self.server.databases():
            name = self.name if wanted else dump_name(self.name, database)
            occasion = DumpOccasion(kind=kind, name=name, when=self.when, zone=self.zone)
            dump = partial(self._dump, database, occasion, version)
            yield occasion.member(extension, version, dump)

    def _dump(
        self, database: str, occasion: DumpOccasion, version: str, learnt: list[DatabaseFacts]
    ) -> Iterator[bytes]:
        tables = self.server.tables(database)
        self._refuse_blind_spots(tables, database)
        counted = self._counted(tables, database)
        rows = {table.key: table.rows for table in self._kept(tables)}
        learnt.append(
            occasion.facts(
                version=version,
                exact=counted is not None,
                tables=rows if counted is None else counted,
                warnings=self._warnings(tables, version),
                left_out=self._left_out(tables),
            )
        )
        chunks = stream_of(self._command(database, tables))
        yield from compressed(believable(chunks, _SHAPE, database), self.compression)

    def _kept(self, tables: list[Table]) -> list[Table]:
        return [table for table in tables if table.has_rows and not self.selection.omits(table)]

    def _full(self, tables: list[Table]) -> list[Table]:
        kept = [] if self.schema_only else self._kept(tables)
        return [table for table in kept if self.selection.keeps_rows(table)]

    def _left_out(self, tables: list[Table]) -> tuple[str, ...]:
        full = set(self._full(tables))
        return tuple(table.key for table in tables if table.has_rows and table not in full)

    def examine(self) -> Iterator[Sighting]:
        """Look at everything that a dump needs, and say what there is.

        Raises:
            DumpError: a dump would fail, for this reason.
        """
        version = self.server.version()
        wanted = self.server.access.address.database
        for database in [wanted] if wanted else self.server.databases():
            tables = self.server.tables(database)
            self._refuse_blind_spots(tables, database)
            kept = self._kept(tables)
            self.server.refuse_unreadable(database, kept)
            for warning in self._warnings(tables, version):
                yield Sighting(warning, hint="The backup works, but promises less.")
            yield Sighting(
                f"The database '{database}' on {version} has {plural(len(kept), 'table')} to dump, "
                "all of which may be read."
            )

    def _refuse_blind_spots(self, tables: list[Table], database: str) -> None:
        """Find out before the dump what it would pass over in silence."""
        self.selection.refuse_unmatched(tables, database)
        if self.selection.include:
            return
        rights = ["SELECT"] if "--skip-triggers" in self.options else ["SELECT", "TRIGGER"]
        if lacking := self.server.blind_to(database, rights):
            raise DumpError(
                f"The user may not see all of the database '{database}': it lacks the right "
                f"{' and '.join(lacking)}, and what it has no right on would be missing from the "
                "dump without a word.",
                hint=f"GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON {quoted(database)}.* to it, or "
                "name the tables to dump in BACKUP_DATABASES__…__INCLUDE_TABLES.",
            )

    def _warnings(self, tables: list[Table], version: str) -> tuple[str, ...]:
        found = [self.server.client_mismatch(version)]
        if moving := [table.name for table in self._kept(tables) if table.engine]:
            found.append(
                "These tables have no transactions, and are dumped as they happen to stand when "
                f"their turn comes: {', '.join(moving)}. Convert them to InnoDB."
            )
        return tuple(filter(None, found))

    def _counted(self, tables: list[Table], database: str) -> dict[str, int] | None:
        """Count the rows that will be in the dump; None if that would take too long."""
        kept = self._kept(tables)
        full = self._full(tables)
        if sum(table.size for table in full) > COUNTED_UP_TO:
            return None
        return dict.fromkeys((table.key for table in kept), 0) | self.server.count(database, full)

    def _command(self, database: str, tables: list[Table]) -> Command:
        beside_tables = () if self.selection.include else _BESIDE_TABLES
        options = [*_OPTIONS, *beside_tables, *self.server.own_dump_options()]
        if self.schema_only:
            options.append("--no-data")
        for table in tables:
            if self.selection.omits(table):
                options.append(f"--ignore-table={database}.{table.name}")
            elif not self.selection.keeps_rows(table):
                options.append(f"--ignore-table-data={database}.{table.name}")
        purpose = f"dumping the database '{database}'"
        return self.server.command("dump", *options, *self.options, "--", database, purpose=purpose)
