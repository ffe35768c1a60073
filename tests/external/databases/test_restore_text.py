"""RESTORE.txt is true of databases: its commands are run, and bring everything back."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

from backupd.model import Member
from backupd.ports import Source
from backupd.sources.dump import Compression
from backupd.sources.mysql import MysqlDatabase
from backupd.sources.postgres import PostgresDatabase, PostgresFormat
from external.databases.engines import loader_of, source_of
from external.databases.samples import FEW_ROWS, sample
from external.databases.servers import RunningServer
from fakes.archives import KEY, archive_of
from fakes.instructions import commands, followed

COPY = "copy"


OF_POSTGRESQL = pytest.mark.parametrize("kept", ["postgresql"], indirect=True)
OF_MARIADB = pytest.mark.parametrize("kept", ["mariadb"], indirect=True)
OF_BOTH = pytest.mark.parametrize("kept", ["postgresql", "mariadb"], indirect=True)


@pytest.fixture(scope="module")
def kept(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    server: RunningServer = request.getfixturevalue(request.param)
    server.sql("CREATE DATABASE kept;")
    server.sql(sample(server.kind, FEW_ROWS), "kept")
    yield server
    server.sql("DROP DATABASE kept;")


@pytest.fixture
def server(kept: RunningServer) -> Iterator[RunningServer]:
    """Give a server on which somebody has made the database to restore into."""
    kept.sql(f"CREATE DATABASE {COPY};")
    yield kept
    kept.sql(f"DROP DATABASE {COPY};")


def variants(server: RunningServer) -> dict[str, Source]:
    """Give every way in which this engine is dumped, by the ending of the dump."""
    source = source_of(server.url("kept"))
    if isinstance(source, MysqlDatabase):
        return {".sql": source, ".sql.gz": replace(source, compression=Compression.GZIP)}
    plain = replace(source, format=PostgresFormat.PLAIN)
    packed = replace(plain, compression=Compression.GZIP)
    squeezed = replace(source, compression=Compression.GZIP)
    return {".dump": source, ".sql": plain, ".sql.gz": packed, "compressed .dump": squeezed}


def restored(
    server: RunningServer, folder: Path, members: tuple[Member, ...]
) -> "subprocess.CompletedProcess[str]":
    """Archive the members, and then follow RESTORE.txt, with the server where it is usual."""
    (folder / "tree").mkdir()
    (folder / "tree" / "file").touch()
    (folder / "application").mkdir()
    archive_of(folder / "tree", folder / "taken", members=members)
    text = ZipFile(folder / "taken" / KEY).read("RESTORE.txt").decode()
    assert commands(text, 0) == commands(text, 1)  # both languages say the same
    (folder / ".my.cnf").write_text(
        f"[client]\nhost=127.0.0.1\nport={server.port}\nuser=root\nprotocol=tcp\n"
    )
    return followed(
        text,
        folder / "taken",
        {"APPLICATION": str(folder / "application"), "DATABASE": COPY},
        environment={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "PGUSER": "postgres",
        },
    )


def is_whole(server: RunningServer) -> bool:
    there, here = (loader_of(server.url(name)).tables() for name in (COPY, "kept"))
    return dict(there) == dict(here)


def members_of(source: Source) -> tuple[Member, ...]:
    return tuple(each for each in source.members() if isinstance(each, Member))


@pytest.mark.parametrize(
    ("kept", "ending"),
    [
        ("postgresql", ".dump"),
        ("postgresql", "compressed .dump"),
        ("postgresql", ".sql"),
        ("postgresql", ".sql.gz"),
        ("mariadb", ".sql"),
        ("mariadb", ".sql.gz"),
    ],
    indirect=["kept"],
)
def test_its_commands_bring_a_database_back(
    server: RunningServer, tmp_path: Path, ending: str
) -> None:
    members = members_of(variants(server)[ending])
    assert members[0].path.endswith(ending.rpartition(" ")[2])
    done = restored(server, tmp_path, members)
    assert done.returncode == 0, done.stderr
    assert is_whole(server)


@OF_MARIADB
def test_a_dump_named_for_mysql_is_put_back_with_its_client(
    server: RunningServer, tmp_path: Path
) -> None:
    (member,) = members_of(variants(server)[".sql.gz"])
    named = member._replace(path=member.path.replace("mariadb-", "mysql-"))
    done = restored(server, tmp_path, (named,))
    assert done.returncode == 0, done.stderr
    assert is_whole(server)


@OF_POSTGRESQL
def test_roles_are_put_back_before_the_database_that_names_them(
    server: RunningServer, tmp_path: Path
) -> None:
    source = source_of(server.url("kept"))
    assert isinstance(source, PostgresDatabase)
    server.sql("CREATE ROLE clerk;")
    server.sql("CREATE TABLE ledger (n int); ALTER TABLE ledger OWNER TO clerk;", "kept")
    try:
        taken = replace(source, with_globals=True)
        members = tuple(
            each._replace(stream=iter([b"".join(each.stream())]).__iter__)
            for each in members_of(taken)
            if each.stream
        )
        server.sql("DROP TABLE ledger;", "kept")
        server.sql("DROP ROLE clerk;")
        done = restored(server, tmp_path, members)
        assert done.returncode == 0, done.stderr
        owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'ledger';"
        assert server.sql(owner, COPY) == "clerk"
    finally:
        server.sql(f"DROP DATABASE {COPY}; CREATE DATABASE {COPY};")
        server.sql("DROP TABLE IF EXISTS ledger;", "kept")
        server.sql("DROP ROLE IF EXISTS clerk;")


@OF_BOTH
def test_a_packed_dump_that_is_damaged_touches_nothing(
    server: RunningServer, tmp_path: Path
) -> None:
    (member,) = members_of(variants(server)[".sql.gz"])
    assert member.stream is not None
    content = b"".join(member.stream())
    cut = member._replace(stream=iter([content[:-5000]]).__iter__)
    assert restored(server, tmp_path, (cut,)).returncode != 0
    assert loader_of(server.url(COPY)).tables() == {}
