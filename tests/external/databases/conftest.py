"""Real database servers, one of each for all tests."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from external.databases.servers import RunningServer, start_mariadb, start_postgresql


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Callable[[], Path]]:
    """Make folders with short names that other users may enter: sockets need both."""
    with TemporaryDirectory(prefix="srv", dir="/tmp") as base:
        Path(base).chmod(0o755)
        count = iter(range(100))

        def make() -> Path:
            folder = Path(base) / str(next(count))
            folder.mkdir()
            return folder

        yield make


@pytest.fixture(scope="session")
def postgresql(server_folder: Callable[[], Path]) -> Iterator[RunningServer]:
    server = start_postgresql(server_folder())
    yield server
    server.stop(signal.SIGINT)


@pytest.fixture(scope="session")
def mariadb(server_folder: Callable[[], Path]) -> Iterator[RunningServer]:
    server = start_mariadb(server_folder())
    yield server
    server.stop(signal.SIGTERM)
