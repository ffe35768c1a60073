"""Uploads that were cut go on from the parts that arrived, and dead ones are swept."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backupd.destinations.s3 import S3Destination
from backupd.errors import DestinationError, Interrupted
from fakes.bucket import MEBIBYTE, OwnBucket
from fakes.fault_proxy import Fault, FaultProxy, Mishap, Plan, Seen, answering, nothing

KEY = "shop-1.zip"
REFUSED = Mishap(Fault.REFUSE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "archive"
    path.write_bytes(os.urandom(6 * MEBIBYTE + 5))
    return path


@pytest.fixture
def restarted(bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path) -> Callable[[], S3Destination]:
    """Make a destination as a restarted program would: only the state on disk is the same."""
    return lambda: bucket.destination(tmp_path / "state", url=proxy.url)


def store(destination: S3Destination, file: Path) -> None:
    destination.store(KEY, file, on_progress=lambda _: None)


def part_of(seen: Seen) -> int:
    _, _, number = seen.target.partition("partNumber=")
    return int(number.partition("&")[0] or 0)


def without_part(number: int) -> Plan:
    return lambda seen: REFUSED if part_of(seen) == number else None


def cut(restarted: Callable[[], S3Destination], proxy: FaultProxy, file: Path) -> None:
    """Let the last of seven parts fail, with the first ones arrived."""
    proxy.plan(without_part(7))
    with pytest.raises(DestinationError):
        store(restarted(), file)
    proxy.plan(nothing)


def parts_sent(proxy: FaultProxy) -> list[int]:
    return sorted(part_of(seen) for seen in proxy.seen if seen.method == "PUT")


def held(bucket: OwnBucket) -> bytes:
    body: bytes = bucket.client.get_object(Bucket=bucket.name, Key=KEY)["Body"].read()
    return body


def uploads(bucket: OwnBucket) -> list[str]:
    answer = bucket.client.list_multipart_uploads(Bucket=bucket.name)
    return [upload["Key"] for upload in answer.get("Uploads", [])]


def test_only_the_missing_parts_are_sent(
    restarted: Callable[[], S3Destination], proxy: FaultProxy, bucket: OwnBucket, file: Path
) -> None:
    cut(restarted, proxy, file)
    store(restarted(), file)
    sent = parts_sent(proxy)
    assert 7 in sent
    assert len(sent) <= 4  # as many as were under way at the cut
    assert held(bucket) == file.read_bytes()
    assert uploads(bucket) == []


def test_a_part_that_the_server_has_damaged_is_sent_again(
    restarted: Callable[[], S3Destination], proxy: FaultProxy, bucket: OwnBucket, file: Path
) -> None:
    flipped = Mishap(Fault.FLIP_REQUEST, 1000)
    proxy.plan(lambda seen: flipped if part_of(seen) == 3 else None)
    with pytest.raises(DestinationError, match="arrived damaged") as raised:
        store(restarted(), file)
    assert raised.value.temporary
    proxy.plan(nothing)
    store(restarted(), file)
    assert 3 in parts_sent(proxy)
    assert held(bucket) == file.read_bytes()


def test_another_file_under_the_same_key_begins_anew(
    restarted: Callable[[], S3Destination], proxy: FaultProxy, bucket: OwnBucket, file: Path
) -> None:
    cut(restarted, proxy, file)
    file.write_bytes(os.urandom(6 * MEBIBYTE + 5))
    store(restarted(), file)
    assert parts_sent(proxy) == [1, 2, 3, 4, 5, 6, 7]
    assert held(bucket) == file.read_bytes()


def test_an_upload_that_the_server_forgot_begins_anew(
    restarted: Callable[[], S3Destination], proxy: FaultProxy, bucket: OwnBucket, file: Path
) -> None:
    cut(restarted, proxy, file)
    abort_all(bucket)
    store(restarted(), file)
    assert parts_sent(proxy) == [1, 2, 3, 4, 5, 6, 7]
    assert held(bucket) == file.read_bytes()


def test_an_upload_that_is_ended_while_it_goes_on_begins_anew_with_the_next_try(
    restarted: Callable[[], S3Destination], proxy: FaultProxy, bucket: OwnBucket, file: Path
) -> None:
    ended = answering("404 Not Found", "NoSuchUpload")
    proxy.plan(lambda seen: ended if part_of(seen) == 2 else None)
    with pytest.raises(DestinationError, match="knows no longer") as raised:
        store(restarted(), file)
    assert raised.value.temporary
    proxy.plan(nothing)
    store(restarted(), file)
    assert held(bucket) == file.read_bytes()


@pytest.mark.parametrize("damage", ["", "{", '{"upload_id": "x"}', "[]", "\0\0\0"])
def test_a_damaged_record_counts_as_none(  # noqa: PLR0917
    restarted: Callable[[], S3Destination],
    proxy: FaultProxy,
    bucket: OwnBucket,
    file: Path,
    tmp_path: Path,
    damage: str,
) -> None:
    cut(restarted, proxy, file)
    (record,) = (tmp_path / "state").iterdir()
    record.write_text(damage)
    store(restarted(), file)
    assert held(bucket) == file.read_bytes()


def test_a_record_of_another_bucket_is_not_used(
    restarted: Callable[[], S3Destination], proxy: FaultProxy, bucket: OwnBucket, tmp_path: Path
) -> None:
    """The settings were changed in between."""
    file = tmp_path / "archive"
    file.write_bytes(os.urandom(2 * MEBIBYTE))
    proxy.plan(without_part(2))
    with pytest.raises(DestinationError):
        store(restarted(), file)
    elsewhere = replace(bucket, name=f"{bucket.name}-2")
    store(elsewhere.destination(tmp_path / "state"), file)
    assert held(elsewhere) == file.read_bytes()


def test_an_interruption_in_mid_upload_is_raised_as_itself_and_resumed_later(
    restarted: Callable[[], S3Destination], proxy: FaultProxy, bucket: OwnBucket, file: Path
) -> None:
    moved = 0

    def interrupt(count: int) -> None:
        nonlocal moved
        moved += count
        if moved > 5 * MEBIBYTE:
            raise Interrupted("Ctrl-C")

    with pytest.raises(Interrupted, match="Ctrl-C"):
        restarted().store(KEY, file, on_progress=interrupt)
    assert bucket.client.list_objects_v2(Bucket=bucket.name)["KeyCount"] == 0
    proxy.plan(nothing)
    store(restarted(), file)
    assert len(parts_sent(proxy)) < 7
    assert held(bucket) == file.read_bytes()


def test_no_upload_is_begun_that_could_not_be_gone_on_with(
    bucket: OwnBucket, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("not a directory")
    with pytest.raises(DestinationError, match="cannot be kept"):
        store(bucket.destination(tmp_path / "state"), file)


def test_a_recent_upload_that_can_go_on_is_not_swept(
    restarted: Callable[[], S3Destination], proxy: FaultProxy, bucket: OwnBucket, file: Path
) -> None:
    """Moto dates every upload to 2010, but the record on disk knows better."""
    cut(restarted, proxy, file)
    assert restarted().sweep(datetime.now(UTC) - timedelta(days=1)) == []
    assert uploads(bucket) == [KEY]


def test_uploads_that_died_long_ago_are_swept_with_their_record(
    restarted: Callable[[], S3Destination],
    proxy: FaultProxy,
    bucket: OwnBucket,
    file: Path,
    tmp_path: Path,
) -> None:
    cut(restarted, proxy, file)
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key="shop-2.zip")
    assert restarted().sweep(datetime.now(UTC) + timedelta(days=1)) == [KEY, "shop-2.zip"]
    assert uploads(bucket) == []
    assert list((tmp_path / "state").iterdir()) == []


def test_uploads_of_others_are_never_swept(bucket: OwnBucket, tmp_path: Path) -> None:
    for key in ("backups/other-1.zip", "backups/deep/shop-1.zip", "shop-1.zip"):
        bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)
    destination = bucket.destination(tmp_path / "state", prefix="backups")
    assert destination.sweep(datetime.now(UTC)) == []
    assert len(uploads(bucket)) == 3


def abort_all(bucket: OwnBucket) -> None:
    for upload in bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", []):
        bucket.client.abort_multipart_upload(
            Bucket=bucket.name, Key=upload["Key"], UploadId=upload["UploadId"]
        )
