"""Which tables of a database are dumped."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

from backupd.errors import DumpError


class Table(NamedTuple):
    """One table, view or collection."""

    schema: str
    """"" where the engine has no schemas inside a database."""
    name: str
    rows: int = 0
    """As the engine estimates."""
    size: int = 0
    """Bytes, as the engine estimates."""
    engine: str = ""
    has_rows: bool = True
    """False for a view, or what else has no rows of its own."""
    root_schema: str = ""
    root_name: str = ""
    """Of the table that this one is a partition of."""
    key: str = ""
    """Its name as SQL writes it."""

    def matches(self, pattern: str) -> bool:
        """Tell whether a shell pattern stands for the table, or for the one that it is part of."""
        places = ((self.schema, self.name), (self.root_schema, self.root_name))
        names = [name for schema, table in places for name in (table, f"{schema}.{table}")]
        return any(fnmatchcase(name, pattern) for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSelection:
    """Shell patterns (`*`, `?`, `[…]`) over `table` or `schema.table`."""

    include: Sequence[str] = ()
    """Empty: all tables."""
    exclude: Sequence[str] = ()
    without_data: Sequence[str] = ()
    """Kept as empty tables."""

    def omits(self, table: Table) -> bool:
        """Tell whether a table is not dumped at all."""
        left_out = self.include and not any(map(table.matches, self.include))
        return bool(left_out) or any(map(table.matches, self.exclude))

    def keeps_rows(self, table: Table) -> bool:
        """Tell whether a table's rows are dumped."""
        return not self.omits(table) and not any(map(table.matches, self.without_data))

    def refuse_unmatched(self, tables: Collection[Table], database: str) -> None:
        """Make sure that what is to be dumped is there: a misspelt name must not lose a table.

        Raises:
            DumpError: an include or without-data pattern stands for nothing.
        """
        for pattern in (*self.include, *self.without_data):
            if not any(table.matches(pattern) for table in tables):
                raise DumpError(
                    f"No table of the database '{database}' is named '{pattern}'.",
                    hint="Correct the lists of tables in BACKUP_DATABASES__…, or grant the dump "
                    "user the right to see it.",
                )


ALL_TABLES = TableSelection()
