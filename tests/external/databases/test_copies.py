"""Dumps loaded into real servers from copies of a backup, of which one fails."""

from collections.abc import Iterator
from datetime import UTC

import pytest

from backupd.archive.reader import open_archive
from backupd.archive.view import ObjectView
from backupd.errors import LoadError
from backupd.model import Outcome
from backupd.operations.load import LoadDumps, LoadReport
from backupd.operations.retrieve import Reading
from backupd.ports import Destination
from external.databases.engines import loader_of, source_of
from external.databases.samples import FEW_ROWS, only_member, sample
from external.databases.servers import RunningServer
from fakes.archives import KEY, archive_of
from fakes.breaking import BreakingDestination
from fakes.destinations import MemoryDestination
from fakes.listening import deaf


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    server: RunningServer = request.getfixturevalue(request.param)
    server.sql("CREATE DATABASE kept;")
    server.sql(sample(server.kind, FEW_ROWS), "kept")
    yield server
    server.sql("DROP DATABASE kept;")


@pytest.fixture(scope="module")
def archive(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Make a backup of the database."""
    folder = tmp_path_factory.mktemp("backup")
    (folder / "tree").mkdir()
    (folder / "tree" / "file").touch()
    member = only_member(source_of(server.url("kept")))
    archive_of(folder / "tree", folder / "made", members=(member,))
    return (folder / "made" / KEY).read_bytes()


@pytest.fixture
def copy(server: RunningServer) -> Iterator[str]:
    """Name a database that the test may fill."""
    yield "restored"
    force = " WITH (FORCE)" if server.kind == "postgresql" else ""
    server.sql(f"DROP DATABASE IF EXISTS restored{force};")


def destination(name: str, content: bytes) -> MemoryDestination:
    made = MemoryDestination(name)
    made.objects = {KEY: content}
    return made


def damaged(archive: bytes) -> bytes:
    """Flip a byte late in the dump."""
    view = ObjectView(destination=destination("any", archive), key=KEY, size=len(archive))
    dump, _ = open_archive(view, password=None, zone=UTC).members
    content = bytearray(archive)
    content[dump.record.end - 3000] ^= 0x55
    return bytes(content)


def restored(server: RunningServer, database: str, *destinations: Destination) -> LoadReport:
    copies = tuple(
        ObjectView(destination=each, key=KEY, size=next(each.list(KEY)).size)
        for each in destinations
    )
    return LoadDumps(
        copies=copies,
        reading=Reading(zone=UTC),
        loader_for=lambda _: loader_of(server.url(database)),
    ).run(deaf)


def is_whole(server: RunningServer, database: str) -> bool:
    count = "SELECT COUNT(*), SUM(id) FROM everything;"
    return server.sql(count, database) == server.sql(count, "kept")


def last_read(server: RunningServer) -> int:
    """Tell which long read is the one that loads: MariaDB's dumps are checked in one before."""
    return 1 if server.kind == "postgresql" else 2


def test_a_damaged_copy_is_given_up_for_the_next(
    server: RunningServer, archive: bytes, copy: str
) -> None:
    near, far = destination("near", damaged(archive)), destination("far", archive)
    report = restored(server, copy, near, far)
    assert report.outcome is Outcome.SUCCEEDED
    (note,) = report.notes
    assert "is damaged" in note
    assert is_whole(server, copy)


def test_a_destination_that_goes_away_in_the_middle_is_given_up_for_the_next(
    server: RunningServer, archive: bytes, copy: str
) -> None:
    near = BreakingDestination(destination("near", archive), at=last_read(server))
    report = restored(server, copy, near, destination("far", archive))
    assert report.outcome is Outcome.SUCCEEDED
    assert report.notes == ("The copy at 'near' was given up: 'near' is gone.",)
    assert is_whole(server, copy)


def test_if_every_copy_is_damaged_the_database_is_as_it_was(
    server: RunningServer, archive: bytes, copy: str
) -> None:
    bad = damaged(archive)
    with pytest.raises(LoadError, match="The database 'main' is as it was before"):
        restored(server, copy, destination("near", bad), destination("far", bad))
    assert loader_of(server.url(copy)).tables() == {}


def test_a_database_that_is_half_loaded_is_said_to_be(
    server: RunningServer, archive: bytes, copy: str
) -> None:
    """Only where the engine cannot take back what it was told."""
    near = BreakingDestination(destination("near", archive), at=last_read(server))
    with pytest.raises(LoadError, match="'near' is gone") as raised:
        restored(server, copy, near)
    tables = loader_of(server.url(copy)).tables()
    if server.kind == "postgresql":
        assert "is as it was before" in str(raised.value)
        assert tables == {}
    else:
        assert "is half loaded: load it again with --overwrite" in str(raised.value)
        assert tables
