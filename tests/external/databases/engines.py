"""What dumps and loads a database, by its URL, whichever engine it is of."""

from datetime import UTC

from backupd.loaders.mysql import MysqlLoader
from backupd.loaders.postgres import PostgresLoader
from backupd.sources.database_url import DatabaseAccess, parse_database_url
from backupd.sources.mysql import MysqlDatabase
from backupd.sources.mysql_server import MysqlServer
from backupd.sources.postgres import PostgresDatabase
from backupd.sources.postgres_server import PostgresServer
from external.databases.samples import WHEN


def source_of(url: str) -> PostgresDatabase | MysqlDatabase:
    """Give the source of a database."""
    access = DatabaseAccess(address=parse_database_url(url))
    if access.address.kind == "postgresql":
        server = PostgresServer(access=access)
        return PostgresDatabase(name="main", server=server, when=WHEN, zone=UTC)
    return MysqlDatabase(name="main", server=MysqlServer(access=access), when=WHEN, zone=UTC)


def loader_of(url: str) -> PostgresLoader | MysqlLoader:
    """Give what loads into a database."""
    access = DatabaseAccess(address=parse_database_url(url))
    database = access.address.database
    if access.address.kind == "postgresql":
        return PostgresLoader(name="main", server=PostgresServer(access=access), database=database)
    return MysqlLoader(name="main", server=MysqlServer(access=access), database=database)
