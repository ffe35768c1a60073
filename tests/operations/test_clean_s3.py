"""Clean and its catalog at a real S3 server, counted and refused request by request."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from backupd.catalog import Catalog
from backupd.caution import Circumstances, Refusal
from backupd.destinations.s3 import S3Destination
from backupd.model import Outcome
from backupd.naming import archive_name
from backupd.operations.clean import Clean
from backupd.retention import Policy
from fakes.bucket import OwnBucket
from fakes.clock import WoundClock
from fakes.fault_proxy import Fault, FaultProxy, Mishap, Seen, answering
from fakes.listening import deaf
from fakes.nights import whole_zip

CLOCK = WoundClock()
KEYS = [archive_name("shop", CLOCK.now() - timedelta(hours=6 * n + 1), UTC) for n in range(2500)]
"""The newest first; 28 of them in the last seven days."""


def fill(bucket: OwnBucket, count: int) -> None:
    def put(key: str) -> None:
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=whole_zip())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, KEYS[:count]))


@pytest.fixture
def s3(bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path) -> S3Destination:
    return bucket.destination(tmp_path, url=proxy.url)


def clean(destination: S3Destination, *, keep: int = 28) -> Clean:
    catalog = Catalog(destination=destination, set_name="shop", zone=UTC)
    return Clean(
        catalogs=[catalog],
        policy=Policy(zone=UTC, max_bytes=None).only_newest(keep),
        clock=CLOCK,
        circumstances=Circumstances(now=CLOCK.now()),
        despite=frozenset({Refusal.EMPTY_POLICY, Refusal.TOO_MANY}),
    )


def is_batch(seen: Seen) -> bool:
    return seen.method == "POST" and seen.target.endswith("?delete")


def left(destination: S3Destination) -> list[str]:
    return sorted((stored.key for stored in destination.list("shop-")), reverse=True)


def test_2500_archives_cost_three_listings_and_three_requests_to_delete(
    bucket: OwnBucket, proxy: FaultProxy, s3: S3Destination
) -> None:
    fill(bucket, 2500)
    report = clean(s3).run(deaf)
    assert report.outcome is Outcome.SUCCEEDED
    assert len(report.destinations[0].removed) == 2472
    listings = [seen for seen in proxy.seen if "list-type=2" in seen.target]
    batches = [seen for seen in proxy.seen if is_batch(seen)]
    assert (len(listings), len(batches)) == (3, 3)
    assert left(s3) == KEYS[:28]


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        ("AccessDenied", "Access Denied", "s3:DeleteObject"),
        ("AccessDenied", "forbidden by object lock", "is locked, and the server keeps it"),
        ("ObjectLocked", "Object is WORM protected", "is locked, and the server keeps it"),
    ],
)
def test_what_the_server_refuses_within_a_batch_is_reported_and_the_others_go(  # noqa: PLR0917
    bucket: OwnBucket, proxy: FaultProxy, s3: S3Destination, code: str, message: str, said: str
) -> None:
    fill(bucket, 6)
    stuck = KEYS[4]
    body = (
        "<DeleteResult><Error>"
        f"<Key>{stuck}</Key><Code>{code}</Code><Message>{message}</Message>"
        "</Error></DeleteResult>"
    ).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
    refusal = Mishap(Fault.ANSWER, answer=f"{head}Connection: close\r\n\r\n".encode() + body)
    proxy.plan(lambda seen: refusal if is_batch(seen) else None)
    report = clean(s3, keep=3).run(deaf)
    assert report.outcome is Outcome.PARTIAL
    (failed,) = report.destinations[0].failed
    assert failed.backup.key == stuck
    assert said in failed.error + failed.hint
    assert [verdict.backup.key for verdict in report.destinations[0].removed] == [KEYS[3], KEYS[5]]


def test_a_server_that_knows_no_batches_is_asked_one_by_one(
    bucket: OwnBucket, proxy: FaultProxy, s3: S3Destination
) -> None:
    fill(bucket, 6)
    unknown = answering("501 Not Implemented", "NotImplemented")
    proxy.plan(lambda seen: unknown if is_batch(seen) else None)
    assert clean(s3, keep=3).run(deaf).outcome is Outcome.SUCCEEDED
    assert left(s3) == KEYS[:3]


def test_a_batch_whose_reply_is_lost_is_not_reported_as_removed_and_the_next_clean_ends_well(
    bucket: OwnBucket, proxy: FaultProxy, s3: S3Destination
) -> None:
    fill(bucket, 6)
    proxy.plan(lambda seen: Mishap(Fault.LOSE_REPLY) if is_batch(seen) else None)
    report = clean(s3, keep=3).run(deaf)
    assert report.outcome is Outcome.PARTIAL
    assert report.destinations[0].removed == ()
    proxy.plan(lambda _: None)
    assert clean(s3, keep=3).run(deaf).outcome is Outcome.SUCCEEDED
    assert left(s3) == KEYS[:3]


def test_a_bucket_tells_its_clock_and_its_unfinished_uploads(
    bucket: OwnBucket, s3: S3Destination
) -> None:
    client = bucket.client
    client.create_multipart_upload(Bucket=bucket.name, Key="shop-2010-01-01-00-00-00.zip")
    gauges = s3.gauges(CLOCK.now())
    assert gauges.clock_ahead is not None
    assert abs(gauges.clock_ahead) < timedelta(minutes=1)
    assert gauges.leftovers == ("shop-2010-01-01-00-00-00.zip",)
    assert gauges.free_bytes is None
