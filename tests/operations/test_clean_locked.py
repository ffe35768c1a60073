"""Clean in a bucket with object lock, where a delete succeeds and hides what the server keeps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backupd.model import Outcome
from fakes.bucket import OwnBucket
from fakes.fault_proxy import FaultProxy, Seen, answering
from fakes.listening import deaf
from fakes.nights import whole_zip
from operations.test_clean_s3 import KEYS, clean, fill, left

SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=5)


@pytest.fixture
def locking(bucket: OwnBucket) -> OwnBucket:
    return replace(bucket, name=f"{bucket.name}-locking", locking=True)


def lock(bucket: OwnBucket, key: str, until: datetime) -> None:
    bucket.client.put_object(
        Bucket=bucket.name,
        Key=key,
        Body=whole_zip(),
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=until,
    )


def hidden(bucket: OwnBucket) -> set[str]:
    answer = bucket.client.list_object_versions(Bucket=bucket.name)
    return {marker["Key"] for marker in answer.get("DeleteMarkers", [])}


def test_what_the_bucket_keeps_is_not_hidden_and_the_plan_says_until_when(
    locking: OwnBucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    """The settings say nothing of a lock: another machine has set it, or they were edited."""
    fill(locking, 6)
    lock(locking, KEYS[3], SOON)
    lock(locking, KEYS[5], SOON + timedelta(days=1))
    s3 = locking.destination(tmp_path, url=proxy.url)
    report = clean(s3, keep=3).run(deaf)
    assert report.outcome is Outcome.SUCCEEDED
    (cleaning,) = report.destinations
    assert [each.backup.key for each in cleaning.removed] == [KEYS[4]]
    assert [(each.backup.key, each.reason) for each in cleaning.plan.kept[3:]] == [
        (KEYS[3], f"locked until {SOON.date()}"),
        (KEYS[5], f"locked until {(SOON + timedelta(days=1)).date()}"),
    ]
    assert left(s3) == [*KEYS[:4], KEYS[5]]
    assert hidden(locking) == {KEYS[4]}


def test_a_retention_that_the_bucket_itself_gives_counts(
    locking: OwnBucket, tmp_path: Path
) -> None:
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}
    locking.client.put_object_lock_configuration(
        Bucket=locking.name,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
    )
    fill(locking, 6)
    (cleaning,) = clean(locking.destination(tmp_path), keep=3).run(deaf).destinations
    assert cleaning.removed == ()
    assert [each.rule for each in cleaning.plan.kept[3:]] == ["locked"] * 3


def test_a_bucket_without_object_lock_is_asked_for_it_once_and_no_object_is(
    bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    fill(bucket, 6)
    clean(bucket.destination(tmp_path, url=proxy.url), keep=3).run(deaf)
    assert [is_question(seen) for seen in proxy.seen].count(True) == 1
    assert not [seen for seen in proxy.seen if seen.method == "HEAD"]


def test_where_nobody_may_ask_for_locks_a_delete_hides_what_the_bucket_keeps(
    locking: OwnBucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    """It is an older version then, and can be brought back; docs/how-to/s3.md says so."""
    fill(locking, 5)
    lock(locking, KEYS[5], SOON)
    denied = answering("403 Forbidden", "AccessDenied")
    proxy.plan(lambda seen: denied if is_question(seen) else None)
    s3 = locking.destination(tmp_path, url=proxy.url)
    (cleaning,) = clean(s3, keep=3).run(deaf).destinations
    assert len(cleaning.removed) == 3
    assert hidden(locking) == set(KEYS[3:6])
    versions = locking.client.list_object_versions(Bucket=locking.name)["Versions"]
    assert KEYS[5] in {version["Key"] for version in versions}


def test_the_bytes_themselves_cannot_be_deleted(locking: OwnBucket, tmp_path: Path) -> None:
    """Not even by name and version, which backupd never does."""
    lock(locking, KEYS[0], SOON)
    s3 = locking.destination(tmp_path)
    assert s3.delete([KEYS[0]]) == {}
    (version,) = locking.client.list_object_versions(Bucket=locking.name)["Versions"]
    with pytest.raises(locking.client.exceptions.ClientError, match="AccessDenied"):
        locking.client.delete_object(
            Bucket=locking.name, Key=KEYS[0], VersionId=version["VersionId"]
        )


def is_question(seen: Seen) -> bool:
    return seen.target.endswith("?object-lock")
