from collections.abc import Iterator

import pytest

from fakes.bucket import OwnBucket
from fakes.fault_proxy import FaultProxy
from fakes.moto_server import MotoServer


@pytest.fixture(scope="session")
def moto() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


@pytest.fixture
def bucket(moto: MotoServer) -> OwnBucket:
    return OwnBucket(url=moto.url)


@pytest.fixture
def proxy(moto: MotoServer) -> Iterator[FaultProxy]:
    with FaultProxy(moto.port) as proxy:
        yield proxy
