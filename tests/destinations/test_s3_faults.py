"""A 5-part upload in which each request fails in turn, in every way that a network knows."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backupd.errors import DestinationError
from fakes.bucket import MEBIBYTE, QUICK, OwnBucket
from fakes.fault_proxy import Fault, FaultProxy, Mishap, answering, nothing, nth

REQUESTS = 9
"""Of an upload in 5 parts: look, begin, 5 parts, complete, look."""
MISHAPS = [
    Mishap(Fault.REFUSE),
    Mishap(Fault.CUT_REQUEST, 0),
    Mishap(Fault.CUT_REQUEST, 300_000),
    answering("500 Internal Server Error", "InternalError"),
    answering("503 Slow Down", "SlowDown"),
    Mishap(Fault.LOSE_REPLY),
    Mishap(Fault.CUT_REPLY, 20),
    Mishap(Fault.FLIP_REQUEST, 100),
    Mishap(Fault.FLIP_REPLY, 60),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spool") / "archive"
    path.write_bytes(os.urandom(4 * MEBIBYTE + 123))
    return path


def describe(mishap: Mishap) -> str:
    return f"{mishap.fault} {mishap.at or mishap.answer[9:12].decode()}"


def whole_or_absent(bucket: OwnBucket, key: str, file: Path) -> str:
    entries = bucket.client.list_objects_v2(Bucket=bucket.name, Prefix=key).get("Contents", [])
    if not entries:
        return "absent"
    held = bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()
    return "whole" if held == file.read_bytes() else "damaged"


@pytest.mark.parametrize("mishap", MISHAPS, ids=describe)
def test_a_copy_is_whole_or_absent_whichever_request_fails(
    bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path, file: Path, mishap: Mishap
) -> None:
    """And the next try completes it, once, with nothing left behind."""
    destination = bucket.destination(tmp_path, url=proxy.url)
    for number in range(1, REQUESTS + 1):
        key = f"shop-{number}.zip"
        proxy.plan(nth(number, mishap))
        try:
            destination.store(key, file, on_progress=lambda _: None)
        except DestinationError:
            assert whole_or_absent(bucket, key, file) in {"absent", "whole"}, number
        else:
            assert whole_or_absent(bucket, key, file) == "whole", number

        proxy.plan(nothing)
        stored = destination.store(key, file, on_progress=lambda _: None)
        assert stored.size == file.stat().st_size, number
        assert whole_or_absent(bucket, key, file) == "whole", number
    assert len(list(destination.list("shop-"))) == REQUESTS
    destination.sweep(datetime.now(UTC) + timedelta(days=1))
    assert not bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads")


def test_a_lost_reply_to_the_last_request_is_not_taken_for_a_failure(
    bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path, file: Path
) -> None:
    """AWS answers the library's second try with NoSuchUpload or 412, because of our own write."""
    tries_twice = replace(QUICK, attempts=2)
    destination = bucket.destination(tmp_path, url=proxy.url, tuning=tries_twice)
    for key, refusal in {
        "shop-1.zip": answering("404 Not Found", "NoSuchUpload"),
        "shop-2.zip": answering("412 Precondition Failed", "PreconditionFailed"),
        "shop-3.zip": answering("409 Conflict", "ConditionalRequestConflict"),
    }.items():
        completing = REQUESTS - 1
        mishaps = {completing: Mishap(Fault.LOSE_REPLY), completing + 1: refusal}
        proxy.plan(lambda seen, mishaps=mishaps: mishaps.get(seen.number))  # type: ignore[misc]
        destination.store(key, file, on_progress=lambda _: None)
        assert whole_or_absent(bucket, key, file) == "whole"


def test_a_lost_reply_to_a_small_file_s_only_request_is_not_taken_for_a_failure(
    bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"small")
    tries_twice = replace(QUICK, attempts=2)
    destination = bucket.destination(tmp_path, url=proxy.url, tuning=tries_twice)
    proxy.plan(nth(2, Mishap(Fault.LOSE_REPLY)))
    destination.store("shop.zip.sha256", small, on_progress=lambda _: None)
    assert [seen.method for seen in proxy.seen] == ["GET", "PUT", "PUT", "GET"]
    assert whole_or_absent(bucket, "shop.zip.sha256", small) == "whole"
