"""Settings of one database → what dumps it."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from backupd.operations.backup import DatabaseSource
from backupd.ports import Source
from backupd.settings.places import Database
from backupd.sources.database_url import DatabaseAccess, DatabaseAddress, parse_database_url
from backupd.sources.dispensable import Dispensable
from backupd.sources.dump import Compression
from backupd.sources.tables import TableSelection

if TYPE_CHECKING:
    from backupd.sources.mongodb import MongodbDatabase
    from backupd.sources.mysql import MysqlDatabase
    from backupd.sources.postgres import PostgresDatabase

_TIME_LIMIT = 6 * 3600.0
_LOCK_TIMEOUT = 60.0


def database_source(name: str, section: Database, root: Path, zone: ZoneInfo) -> DatabaseSource:
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


def database_address(section: Database) -> DatabaseAddress:
    """Read where a database on a server is, and the password from wherever it was set."""
    address = parse_database_url(section.url.get_secret_value())
    if section.password is None:
        return address
    return replace(address, password=section.password.get_secret_value())


def server_source(
    name: str, section: Database, when: datetime, zone: ZoneInfo
) -> "PostgresDatabase | MysqlDatabase | MongodbDatabase":
    """Make the source of a database on a server."""
    # Each driver is imported only where its kind of database is set.
    address = database_address(section)
    access = DatabaseAccess(
        address=address,
        program=str(section.program or ""),
        time_limit=section.timeout or _TIME_LIMIT,
        stall_limit=section.stall_timeout,
    )
    selection = TableSelection(
        include=section.include_tables,
        exclude=section.exclude_tables,
        without_data=section.tables_without_data,
    )
    compression = Compression(section.compress)
    if address.kind == "postgresql":
        from backupd.sources import postgres  # noqa: PLC0415
        from backupd.sources.postgres_server import PostgresServer  # noqa: PLC0415

        return postgres.PostgresDatabase(
            name=name,
            server=PostgresServer(access=access),
            when=when,
            zone=zone,
            selection=selection,
            format=postgres.PostgresFormat(section.format),
            compression=compression,
            options=section.options,
            schema_only=section.schema_only,
            with_globals=section.globals,
        )
    if address.kind == "mongodb":
        from backupd.sources import mongodb  # noqa: PLC0415
        from backupd.sources.mongodb_server import MongodbServer  # noqa: PLC0415

        return mongodb.MongodbDatabase(
            name=name,
            server=MongodbServer(access=access),
            when=when,
            zone=zone,
            selection=selection,
            compression=compression,
            options=section.options,
        )
    from backupd.sources import mysql  # noqa: PLC0415
    from backupd.sources.mysql_server import MysqlServer  # noqa: PLC0415

    return mysql.MysqlDatabase(
        name=name,
        server=MysqlServer(access=access),
        when=when,
        zone=zone,
        selection=selection,
        compression=compression,
        options=section.options,
        schema_only=section.schema_only,
    )
