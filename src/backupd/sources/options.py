"""What an operator may tell a dump program beyond what backupd tells it."""

import re
from collections.abc import Iterable, Sequence
from types import MappingProxyType

from backupd.sources.tables import TableSelection

_REFUSED = MappingProxyType(
    {
        "postgresql": (
            *("--file", "--format", "--compress", "--jobs", "--snapshot", "--lock-wait-timeout"),
            *("--host", "--port", "--username", "--dbname", "--password", "--no-password"),
            *("--table", "--exclude-table", "--exclude-table-data", "--schema", "--exclude-schema"),
            *("--schema-only", "--data-only", "--section", "--filter", "--enable-row-security"),
            *("--help", "--version", "--verbose"),
        ),
        "mysql": (
            *("--result-file", "--tab", "--dir", "--xml", "--compact", "--comments", "--force"),
            *(
                "--defaults-file",
                "--defaults-extra-file",
                "--defaults-group-suffix",
                "--no-defaults",
            ),
            *("--print-defaults", "--login-path", "--log-error", "--ignore-error"),
            *("--host", "--port", "--socket", "--user", "--password", "--protocol"),
            *("--all-databases", "--databases", "--tables", "--ignore-table", "--ignore-database"),
            *("--no-data", "--where", "--single-transaction", "--quick", "--lock-all-tables"),
            *("--help", "--version", "--verbose", "--system"),
        ),
        "mongodb": (
            *("--archive", "--out", "--gzip", "--config", "--uri", "--host", "--port"),
            *("--username", "--password", "--db", "--collection", "--excludeCollection"),
            *("--excludeCollectionsWithPrefix", "--query", "--queryFile"),
            *("--help", "--version", "--quiet", "--verbose"),
        ),
    }
)
"""Options that other settings stand for, or with which a dump would not be what it seems."""


def checked_options(kind: str, options: Iterable[str]) -> tuple[str, ...]:
    """Return extra options for the dump program of one kind of database.

    Programs take unique beginnings of long options, and MySQL's take some prefixes, so those are
    refused as well.

    Raises:
        ValueError: an option is not `--name` or `--name=value`, or is refused; the message says
            what is allowed.
    """
    checked = tuple(options)
    refused = _REFUSED.get("mysql" if kind == "mariadb" else kind, ())
    if kind == "sqlite" and checked:
        raise ValueError("nothing: a SQLite database is copied without a program")
    for option in checked:
        if not re.match(r"--[A-Za-z][\w-]+(=|$)", option):
            raise ValueError(f"--option or --option=value, which {option!r} is not")
        name = option.partition("=")[0].lower().replace("_", "-")
        bare = re.sub(r"^--(?:(?:loose|skip|disable|enable|maximum)-)+", "--", name)
        if any(other.lower().startswith((name, bare)) for other in refused):
            raise ValueError(f"what backupd does not set itself, as it does {name}")
    return checked


def checked_tables(kind: str, which: str, patterns: Sequence[str]) -> None:
    """Make sure that a kind of database can be dumped with one list of tables.

    Raises:
        ValueError: it cannot; the message says what is allowed.
    """
    if kind == "sqlite":
        raise ValueError("nothing: a SQLite database is copied whole")
    if kind == "mongodb":
        fields = {"include_tables": "include", "exclude_tables": "exclude"}
        mongodump_selection(TableSelection(**{fields.get(which, "without_data"): patterns}))


def mongodump_selection(selection: TableSelection) -> tuple[str, ...]:
    """Say to mongodump which collections to dump; it knows no patterns.

    Raises:
        ValueError: mongodump cannot be told that.
    """
    if selection.without_data:
        raise ValueError("nothing: mongodump cannot leave out documents alone")
    if len(selection.include) > 1 or any(re.search(r"[*?[]", name) for name in selection.include):
        raise ValueError("one collection by its name, or nothing for all: mongodump can do no more")
    excluded = []
    for pattern in selection.exclude:
        name = pattern.removesuffix("*")
        if re.search(r"[*?[]", name):
            raise ValueError(f"names and beginnings as 'log*', which {pattern!r} is not")
        option = "--excludeCollection" if name == pattern else "--excludeCollectionsWithPrefix"
        excluded.append(f"{option}={name}")
    return (*(f"--collection={name}" for name in selection.include), *excluded)
