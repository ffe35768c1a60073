"""What commands ask of a bucket: one listing each, a thousand objects with each request of it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from math import ceil

import pytest

from backupd.clock import SystemClock
from backupd.naming import archive_name, checksum_key
from conftest import Program
from fakes.bucket import OwnBucket
from fakes.fault_proxy import FaultProxy, nothing
from fakes.nights import whole_zip
from fakes.overheard import secret

BACKUPS = 510
PAGES = ceil(2 * BACKUPS / 1000)
"""Beside each archive stands its checksum."""


@pytest.fixture
def full(program: Program, bucket: OwnBucket, proxy: FaultProxy) -> FaultProxy:
    """A bucket, behind the proxy, with a backup for every hour of three weeks."""
    program.lines = [line for line in program.lines if "DESTINATIONS" not in line]
    program.lines += ["AWS_ACCESS_KEY_ID=access", f"AWS_SECRET_ACCESS_KEY={secret('bucket')}"]
    program.set(
        DESTINATIONS__OFFSITE__TYPE="s3",
        DESTINATIONS__OFFSITE__BUCKET=bucket.name,
        DESTINATIONS__OFFSITE__ENDPOINT_URL=proxy.url,
        DESTINATIONS__OFFSITE__REGION="us-east-1",
        DESTINATIONS__OFFSITE__ADDRESSING_STYLE="path",
    )
    now = SystemClock().now()
    keys = [archive_name("shop", now - timedelta(hours=n), UTC) for n in range(BACKUPS)]

    def put(key: str) -> None:
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=whole_zip())
        bucket.client.put_object(Bucket=bucket.name, Key=checksum_key(key), Body=b"x")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, keys))
    return proxy


def requests(proxy: FaultProxy) -> dict[str, int]:
    """Count what was asked since the last time, by what it was."""
    kinds = {
        "list": "list-type=2",
        "uploads": "?uploads",
        "lock": "?object-lock",
        "delete": "?delete",
    }
    counted = {
        kind: sum(mark in seen.target for seen in proxy.seen) for kind, mark in kinds.items()
    }
    counted["read"] = len(proxy.seen) - sum(counted.values())
    proxy.plan(nothing)
    return {kind: count for kind, count in counted.items() if count}


def test_every_command_lists_the_bucket_once(program: Program, full: FaultProxy) -> None:
    """Reads are the ends of the archives that hold the last places, before anything goes."""
    assert f" {BACKUPS} " in program("list").out
    assert requests(full) == {"list": PAGES, "uploads": 1}
    program("list", "--backups")
    assert requests(full) == {"list": PAGES, "uploads": 1}
    program("list", "--calendar")
    assert requests(full) == {"list": PAGES, "uploads": 1}
    program("monitor")
    assert requests(full) == {"list": PAGES, "uploads": 1}
    assert program("clean", "--dry-run", "--despite", "too-many").code == 0
    assert requests(full) == {"list": PAGES, "lock": 1, "read": 3}
    assert program("clean", "--despite", "too-many").code == 0
    assert requests(full) == {"list": PAGES, "lock": 1, "read": 3, "delete": 2}
    assert program("status").code == 0
    assert requests(full) == {}
