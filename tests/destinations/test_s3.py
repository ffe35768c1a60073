"""What only a bucket has: prefixes, long listings, engines that understand less, and races."""

import http.client
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backupd.destinations.s3 import S3Destination
from backupd.destinations.s3_bucket import S3Bucket, S3Keeping
from backupd.errors import DestinationError
from fakes.bucket import MEBIBYTE, OwnBucket
from fakes.fault_proxy import FaultProxy, Mishap, Seen, answering, nothing
from fakes.moto_server import MotoServer

NOT_IMPLEMENTED = answering("501 Not Implemented", "NotImplemented")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small"
    path.write_bytes(b"small")
    return path


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(os.urandom(2 * MEBIBYTE + 1))
    return path


def store(destination: S3Destination, key: str, path: Path) -> None:
    destination.store(key, path, on_progress=lambda _: None)


def keys(bucket: OwnBucket) -> list[str]:
    entries = bucket.client.list_objects_v2(Bucket=bucket.name).get("Contents", [])
    return [entry["Key"] for entry in entries]


@pytest.mark.parametrize("prefix", ["backups/shop", "/backups/shop/", "backups/shop/"])
def test_a_prefix_is_a_folder_however_it_is_written(
    bucket: OwnBucket, tmp_path: Path, small: Path, prefix: str
) -> None:
    destination = bucket.destination(tmp_path / "state", prefix=prefix)
    store(destination, "shop-1.zip", small)
    assert keys(bucket) == ["backups/shop/shop-1.zip"]
    assert [stored.key for stored in destination.list("shop-")] == ["shop-1.zip"]


def test_what_is_above_below_and_beside_the_prefix_is_not_listed(
    bucket: OwnBucket, tmp_path: Path, small: Path
) -> None:
    for key in ("a/", "a/shop-1.zip", "a/deep/shop-2.zip", "ab/shop-3.zip", "shop-4.zip"):
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=b"")
    inside = bucket.destination(tmp_path / "state", prefix="a")
    assert [stored.key for stored in inside.list("")] == ["shop-1.zip"]
    top = bucket.destination(tmp_path / "state")
    assert [stored.key for stored in top.list("")] == ["shop-4.zip"]


def test_2500_objects_are_listed_completely_with_few_requests(
    bucket: OwnBucket, proxy: FaultProxy, moto: MotoServer, tmp_path: Path
) -> None:
    server = http.client.HTTPConnection("127.0.0.1", moto.port)
    for number in range(2500):  # moto asks for no signature
        server.request("PUT", f"/{bucket.name}/x/shop-{number:04}.zip", body=b"")
        server.getresponse().read()
    destination = bucket.destination(tmp_path, url=proxy.url, prefix="x")
    listed = [stored.key for stored in destination.list("shop-")]
    assert listed == [f"shop-{number:04}.zip" for number in range(2500)]
    assert len(proxy.seen) <= 4


def test_a_server_without_checksums_gets_md5s_instead(
    bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path, small: Path, large: Path
) -> None:
    def refuse_checksums(seen: Seen) -> Mishap | None:
        modern = any(name.startswith("x-amz-checksum") for name in seen.headers)
        return NOT_IMPLEMENTED if modern and seen.method in {"PUT", "POST"} else None

    proxy.plan(refuse_checksums)
    destination = bucket.destination(tmp_path / "state", url=proxy.url)
    store(destination, "shop-1.zip", small)
    store(destination, "shop-2.zip", large)
    assert b"".join(destination.read("shop-2.zip")) == large.read_bytes()
    sent = [seen for seen in proxy.seen if seen.method == "PUT"]
    assert len(sent) == 5  # the first is said again; no other is
    assert all("content-md5" in seen.headers for seen in sent)


def test_a_server_without_conditional_writes_is_asked_first_what_is_there(
    bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path, small: Path, large: Path
) -> None:
    proxy.plan(lambda seen: NOT_IMPLEMENTED if "if-none-match" in seen.headers else None)
    destination = bucket.destination(tmp_path / "state", url=proxy.url)
    store(destination, "shop-1.zip", large)
    store(destination, "shop-2.zip", small)
    with pytest.raises(DestinationError, match="keeps something else"):
        store(destination, "shop-1.zip", small)
    assert b"".join(destination.read("shop-1.zip")) == large.read_bytes()


def test_where_neither_checksum_nor_md5_is_told_the_copy_is_read_back(
    bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path, small: Path
) -> None:
    """A listing whose ETags are no MD5s, as with keys of KMS, and HEAD that says as little."""
    proxy.plan(nothing)
    destination = bucket.destination(tmp_path / "state", url=proxy.url)
    bucket.client.put_object(
        Bucket=bucket.name, Key="shop-1.zip", Body=b"small", ServerSideEncryption="aws:kms"
    )
    store(destination, "shop-1.zip", small)
    bucket.client.put_object(Bucket=bucket.name, Key="shop-2.zip", Body=b"smell")
    with pytest.raises(DestinationError, match="keeps something else"):
        store(destination, "shop-2.zip", small)
    read_back = [seen.target for seen in proxy.seen if seen.target.endswith("/shop-2.zip")]
    assert read_back == [f"/{bucket.name}/shop-2.zip"] * 2  # HEAD, then GET


def test_of_eight_writers_of_one_name_exactly_one_wins(bucket: OwnBucket, tmp_path: Path) -> None:
    won: list[int] = []

    def write(number: int) -> None:
        path = tmp_path / str(number)
        path.write_bytes(str(number).encode() * 1000)
        destination = bucket.destination(tmp_path / f"state-{number}")
        try:
            store(destination, "shop-1.zip", path)
        except DestinationError:
            return
        won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    held = bucket.client.get_object(Bucket=bucket.name, Key="shop-1.zip")["Body"].read()
    assert held == str(won[0]).encode() * 1000


def test_how_objects_are_kept_is_said_with_each_of_them(
    bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path, small: Path, large: Path
) -> None:
    keeping = S3Keeping(
        storage_class="STANDARD_IA", sse="aws:kms", sse_kms_key_id="alias/x", object_lock_days=30
    )
    locked = f"{bucket.name}-locked"
    bucket.client.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
    settings = S3Bucket(**{**vars_of(bucket.settings(proxy.url)), "name": locked})
    destination = bucket.destination(tmp_path / "state", settings=settings, keeping=keeping)
    store(destination, "shop-1.zip", small)
    store(destination, "shop-2.zip", large)
    beginnings = [seen for seen in proxy.seen if "x-amz-storage-class" in seen.headers]
    assert [seen.method for seen in beginnings] == ["PUT", "POST"]
    for headers in (seen.headers for seen in beginnings):
        assert headers["x-amz-storage-class"] == "STANDARD_IA"
        assert headers["x-amz-server-side-encryption"] == "aws:kms"
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/x"
        assert headers["x-amz-object-lock-mode"] == "GOVERNANCE"
        until = datetime.fromisoformat(headers["x-amz-object-lock-retain-until-date"])
        assert timedelta(days=29) < until - datetime.now(UTC) <= timedelta(days=30)


def vars_of(bucket: S3Bucket) -> dict[str, str]:
    return {name: getattr(bucket, name) for name in S3Bucket.__slots__}


def test_no_secret_is_in_what_a_destination_is_made_of() -> None:
    given = S3Bucket(name="b", secret_access_key="sesame", session_token="open")
    assert "sesame" not in repr(given)
    assert "open" not in repr(given)


def test_the_library_is_not_imported_before_it_is_needed() -> None:
    program = "import sys, backupd.destinations.s3; sys.exit('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


UPLOAD = """
import re, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from fakes.bucket import OwnBucket
from backupd.destinations.s3_bucket import S3Tuning
bucket = OwnBucket(url=sys.argv[2])
destination = bucket.destination(Path(sys.argv[3]) / "state", tuning=S3Tuning())
destination.store("shop-1.zip", Path(sys.argv[3]) / "file", on_progress=lambda _: None)
# Not ru_maxrss, which counts what this process was before exec().
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def uploads_peak(server: MotoServer, folder: Path, size: int) -> int:
    """Give the peak memory, in KiB, of a program that uploads a file of a size."""
    with (folder / "file").open("wb") as file:
        file.truncate(size)
    here = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", UPLOAD, here, server.url, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout)


def test_memory_does_not_grow_with_the_object(moto: MotoServer, tmp_path: Path) -> None:
    """1 GiB is in benchmarks/s3_upload.py; here a fifth of it shows that nothing is kept."""
    assert uploads_peak(moto, tmp_path, 200 * MEBIBYTE) < 100 * 1024
