"""The contract of destinations, failing networks and cut uploads, with a real storage engine.

Ceph's gateway ignores SHA-256 checksums and refuses wrong signatures, as moto does not.
"""

import dataclasses
import ssl
from pathlib import Path

import pytest
import trustme

from backupd.destinations.s3 import S3Destination
from backupd.errors import DestinationError
from destinations.test_contract import *  # noqa: F403  (every test of it, with the fixtures below)
from destinations.test_s3_faults import *  # noqa: F403
from external.ceph import Ceph
from fakes.bucket import MEBIBYTE, OwnBucket
from fakes.fault_proxy import FaultProxy
from operations.test_clean_locked import *  # noqa: F403


@pytest.fixture  # type: ignore[no-redef]
def destination(bucket: OwnBucket, tmp_path: Path) -> S3Destination:
    return bucket.destination(tmp_path / "uploads", prefix="backups/shop")


def test_over_tls_objects_are_stored_as_over_plain_http(
    ceph: Ceph, bucket: OwnBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the library's own checksums, which need trailers, every PUT would be refused (411)."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with FaultProxy(ceph.port, tls=context) as encrypted:
        destination = bucket.destination(tmp_path / "state", url=encrypted.url)
        for key, size in {"shop-1.zip": 10, "shop-2.zip": 3 * MEBIBYTE + 1}.items():
            (tmp_path / key).write_bytes(b"x" * size)
            destination.store(key, tmp_path / key, on_progress=lambda _: None)
            assert b"".join(destination.read(key)) == b"x" * size


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"access_key_id": "stranger"}, "the server does not know the access key"),
        ({"secret_access_key": "wrong"}, "the secret key is a wrong one"),
        ({"name": "nowhere"}, "there is no bucket nowhere at 127.0.0.1"),
    ],
)
def test_a_wrong_setting_is_told_from_the_others(
    bucket: OwnBucket, tmp_path: Path, changed: dict[str, str], sentence: str
) -> None:
    settings = dataclasses.replace(bucket.settings(), **changed)
    with pytest.raises(DestinationError, match=sentence):
        list(bucket.destination(tmp_path, settings=settings).list(""))
