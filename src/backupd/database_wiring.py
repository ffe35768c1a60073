"""Settings of one database → what dumps it, and what loads its dumps back."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from backupd.errors import RefusedError, UnknownNameError
from backupd.model import DatabaseFacts
from backupd.ports import Loader, Source
from backupd.settings.places import Database
from backupd.settings.rules import Drill
from backupd.sources.database_url import (
    DatabaseAccess,
    DatabaseAddress,
    kind_of,
    parse_database_url,
)
from backupd.sources.dispensable import Dispensable
from backupd.sources.dump import Compression
from backupd.sources.tables import TableSelection

if TYPE_CHECKING:
    from backupd.operations.backup import DatabaseSource
    from backupd.sources.mongodb import MongodbDatabase
    from backupd.sources.mysql import MysqlDatabase
    from backupd.sources.postgres import PostgresDatabase

_TIME_LIMIT = 6 * 3600.0
_LOCK_TIMEOUT = 60.0


def database_source(name: str, section: Database, root: Path, zone: ZoneInfo) -> "DatabaseSource":
    """Make what makes the source of one database for a run."""

    def source(when: datetime, scratch: Path) -> Source:
        path = sqlite_path(section, root)
        made: Source
        if path is None:
            made = server_source(name, section, when, zone)
        else:
            from backupd.sources.sqlite import SqliteDatabase  # noqa: PLC0415

            made = SqliteDatabase(
                name=name,
                path=path,
                scratch=scratch,
                when=when,
                zone=zone,
                lock_timeout=section.timeout or _LOCK_TIMEOUT,
            )
        return made if section.required else Dispensable(made)

    return source


def sqlite_path(section: Database, root: Path) -> Path | None:
    """Read `sqlite:///path`: relative to the root, or absolute after a fourth slash."""
    scheme, _, rest = section.url.get_secret_value().partition("://")
    return root / rest.removeprefix("/").partition("?")[0] if scheme == "sqlite" else None


def server_source(
    name: str, section: Database, when: datetime, zone: ZoneInfo
) -> "PostgresDatabase | MysqlDatabase | MongodbDatabase":
    """Make the source of a database on a server."""
    match kind_of(section.url.get_secret_value()):
        case "postgresql":
            return _postgres_source(name, section, when, zone)
        case "mongodb":
            return _mongodb_source(name, section, when, zone)
        case _:
            return _mysql_source(name, section, when, zone)


# Each driver is imported only where its kind of database is set.


def _postgres_source(
    name: str, section: Database, when: datetime, zone: ZoneInfo
) -> "PostgresDatabase":
    from backupd.sources import postgres  # noqa: PLC0415
    from backupd.sources.postgres_server import PostgresServer  # noqa: PLC0415

    return postgres.PostgresDatabase(
        name=name,
        server=PostgresServer(access=database_access(section)),
        when=when,
        zone=zone,
        selection=_selection(section),
        format=postgres.PostgresFormat(section.format),
        compression=Compression(section.compress),
        options=section.options,
        schema_only=section.schema_only,
        with_globals=section.globals,
    )


def _mongodb_source(
    name: str, section: Database, when: datetime, zone: ZoneInfo
) -> "MongodbDatabase":
    from backupd.sources import mongodb  # noqa: PLC0415
    from backupd.sources.mongodb_server import MongodbServer  # noqa: PLC0415

    return mongodb.MongodbDatabase(
        name=name,
        server=MongodbServer(access=database_access(section)),
        when=when,
        zone=zone,
        selection=_selection(section),
        compression=Compression(section.compress),
        options=section.options,
    )


def _mysql_source(name: str, section: Database, when: datetime, zone: ZoneInfo) -> "MysqlDatabase":
    from backupd.sources import mysql  # noqa: PLC0415
    from backupd.sources.mysql_server import MysqlServer  # noqa: PLC0415

    return mysql.MysqlDatabase(
        name=name,
        server=MysqlServer(access=database_access(section)),
        when=when,
        zone=zone,
        selection=_selection(section),
        compression=Compression(section.compress),
        options=section.options,
        schema_only=section.schema_only,
    )


def _selection(section: Database) -> TableSelection:
    return TableSelection(
        include=section.include_tables,
        exclude=section.exclude_tables,
        without_data=section.tables_without_data,
    )


def database_loader(facts: DatabaseFacts, section: Database | None, to_url: str = "") -> Loader:
    """Make what loads a dump: back where it came from, or into `to_url`.

    Raises:
        UnknownNameError: there is no telling where to, or it is a SQLite database.
        RefusedError: it has several databases, and `to_url` names one.
        ValueError: `to_url` is no address; the message says what is allowed.
    """
    name = facts.name
    if section is not None and kind_of(section.url.get_secret_value()) == "sqlite":
        raise UnknownNameError(
            f"'{name}' is a SQLite database: its dump is a file.",
            hint="Put it back with --in-place, or extract it with --to.",
        )
    if section is None and not to_url:
        raise UnknownNameError(
            f"The settings have no database '{name.partition('.')[0]}' to load its dump into.",
            hint="Say where to load it with --to-url.",
        )
    if section is None:
        access = DatabaseAccess(address=parse_database_url(to_url))
    else:
        access = database_access(section)
        if to_url:
            access = DatabaseAccess(address=_beside(parse_database_url(to_url), access.address))
    database = access.address.database or unquote(name.partition(".")[2])
    access = replace(access, address=replace(access.address, database=database))
    return _loader(name, access, dumped=_only_database(facts, database))


def _only_database(facts: DatabaseFacts, target: str) -> str:
    """Name the database in a dump of MongoDB, which holds the names; "" if there are several."""
    if facts.kind != "mongodb":
        return ""
    databases = sorted({collection.partition(".")[0] for collection in facts.tables})
    if target and len(databases) > 1:
        raise RefusedError(
            f"The dump '{facts.name}' has several databases: {', '.join(databases)}.",
            hint="Leave the database out of --to-url: each goes back under its own name.",
        )
    return databases[0] if len(databases) == 1 else ""


def _beside(address: DatabaseAddress, known: DatabaseAddress) -> DatabaseAddress:
    """Fill in what an address leaves out from one that is set: database, password, TLS options.

    The password is told to the same server and as the same user only, and as safely.
    """
    filled = replace(address, database=address.database or known.database)
    places = [(each.host, each.port, each.socket, each.user) for each in (address, known)]
    if places[0] != places[1]:
        return filled
    return replace(
        filled,
        password=address.password or known.password,
        options=address.options or known.options,
    )


def drill_loader(section: Drill) -> Loader | None:
    """Make what loads dumps for a trial, on the server that is set for it; None if none is."""
    if section.url is None:
        return None
    return _loader("drill", DatabaseAccess(address=_address(section.url, section.password)))


def database_access(section: Database) -> DatabaseAccess:
    """Say how the server of a database is reached, and for how long."""
    return DatabaseAccess(
        address=_address(section.url, section.password),
        program=str(section.program or ""),
        time_limit=section.timeout or _TIME_LIMIT,
        stall_limit=section.stall_timeout,
    )


def _address(url: SecretStr, password: SecretStr | None) -> DatabaseAddress:
    """Read where a server is, and the password from wherever it was set."""
    address = parse_database_url(url.get_secret_value())
    if password is None:
        return address
    return replace(address, password=password.get_secret_value())


def _loader(name: str, access: DatabaseAccess, *, dumped: str = "") -> Loader:
    address = access.address
    if address.kind == "postgresql":
        from backupd.loaders.postgres import PostgresLoader  # noqa: PLC0415
        from backupd.sources.postgres_server import PostgresServer  # noqa: PLC0415

        server = PostgresServer(access=access)
        return PostgresLoader(name=name, server=server, database=address.database)
    if address.kind == "mongodb":
        from backupd.loaders.mongodb import MongodbLoader  # noqa: PLC0415
        from backupd.sources.mongodb_server import MongodbServer  # noqa: PLC0415

        return MongodbLoader(name=name, server=MongodbServer(access=access), dumped=dumped)
    from backupd.loaders.mysql import MysqlLoader  # noqa: PLC0415
    from backupd.sources.mysql_server import MysqlServer  # noqa: PLC0415

    return MysqlLoader(name=name, server=MysqlServer(access=access), database=address.database)
