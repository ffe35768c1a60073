"""Real engines behind the fixtures that tests of a room use, or a skip with its reason."""

import shutil
from collections.abc import Iterator

import pytest

from external.ceph import PROGRAMS, Ceph
from fakes.bucket import OwnBucket
from fakes.fault_proxy import FaultProxy


@pytest.fixture(scope="session")
def ceph() -> Iterator[Ceph]:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"Ceph is not installed: {', '.join(missing)} (scripts/test installs it)")
    with Ceph() as cluster:
        yield cluster


@pytest.fixture
def bucket(ceph: Ceph) -> OwnBucket:
    return OwnBucket(
        url=ceph.url,
        access_key_id=ceph.access_key_id,
        secret_access_key=ceph.secret_access_key,
    )


@pytest.fixture
def proxy(ceph: Ceph) -> Iterator[FaultProxy]:
    with FaultProxy(ceph.port) as proxy:
        yield proxy
