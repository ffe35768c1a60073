"""What an operator reads when S3 says no: one sentence, and what to do."""

import socket
import ssl
import string
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from backupd.destinations.s3 import S3Destination
from backupd.destinations.s3_advice import BY_CODE
from backupd.destinations.s3_bucket import S3Bucket, S3Keeping
from backupd.destinations.s3_errors import Request, translated
from backupd.errors import DestinationError, ObjectNotFoundError
from fakes.bucket import QUICK, OwnBucket
from fakes.clock import FIRST_MOMENT, WoundClock
from fakes.fault_proxy import Fault, FaultProxy, Mishap, always, answering
from fakes.moto_server import MotoServer

QUICK_TO_GIVE_UP = replace(QUICK, read_timeout=0.3)
REQUEST = Request(destination="s3", bucket="b", where="host", operation="put_object", key="k")


def raised_by(destination: S3Destination) -> DestinationError:
    with pytest.raises(DestinationError) as raised:
        list(destination.list(""))
    text = f"{raised.value} {raised.value.hint}"
    assert "secret" not in text.lower().replace("secret key", "").replace("aws_secret_access", "")
    assert "Traceback" not in text
    return raised.value


@pytest.mark.parametrize(
    ("status", "code", "sentence", "hint"),
    [
        ("403 Forbidden", "InvalidAccessKeyId", "does not know the access key", "AWS_ACCESS_KEY"),
        ("403 Forbidden", "SignatureDoesNotMatch", "secret key is a wrong one", "AWS_SECRET"),
        ("400 Bad Request", "ExpiredToken", "credentials have expired", "Renew"),
        ("404 Not Found", "NoSuchBucket", "no bucket bucket-", "Create the bucket"),
        ("403 Forbidden", "AccessDenied", "may not do s3:ListBucket on", "Allow s3:ListBucket"),
        ("503 Slow Down", "SlowDown", "asks for fewer requests", "SCHEDULE__JITTER"),
        ("500 Internal Server Error", "InternalError", "trouble of its own", "passes"),
        ("400 Bad Request", "BadDigest", "arrived damaged", "memory"),
        ("400 Bad Request", "KMS.DisabledException", "encryption key", "SSE_KMS_KEY_ID"),
        ("403 Forbidden", "QuotaExceeded", "quota", "MAX_MEGABYTES"),
        ("418 I'm a teapot", "Teapot", "refuses list_objects_v2 (Teapot", "backupd doctor"),
    ],
)
def test_each_refusal_is_a_sentence_and_a_hint(  # noqa: PLR0917  (a row of the table)
    bucket: OwnBucket,
    proxy: FaultProxy,
    tmp_path: Path,
    status: str,
    code: str,
    sentence: str,
    hint: str,
) -> None:
    proxy.plan(always(answering(status, code)))
    error = raised_by(bucket.destination(tmp_path, url=proxy.url))
    assert str(error).startswith("'s3': ")
    assert sentence in str(error)
    assert hint in error.hint


def test_a_missing_permission_is_named_by_its_iam_action(
    bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    (tmp_path / "small").write_bytes(b"small")
    destination = bucket.destination(tmp_path / "state", url=proxy.url)
    denied = answering("403 Forbidden", "AccessDenied")
    proxy.plan(lambda seen: denied if seen.method == "PUT" else None)
    with pytest.raises(DestinationError, match=r"s3:PutObject") as raised:
        destination.store("shop-1.zip", tmp_path / "small", on_progress=lambda _: None)
    assert not raised.value.temporary
    proxy.plan(always(denied))
    with pytest.raises(DestinationError, match=r"s3:GetObject"):
        list(destination.read("shop-1.zip"))
    with pytest.raises(DestinationError, match=r"s3:ListBucketMultipartUploads"):
        destination.sweep(FIRST_MOMENT)


def test_the_region_of_a_bucket_elsewhere_is_named(
    bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    moved = answering("301 Moved", "PermanentRedirect", x_amz_bucket_region="eu-west-3")
    proxy.plan(always(moved))
    error = raised_by(bucket.destination(tmp_path, url=proxy.url))
    assert "in another region, eu-west-3." in str(error)
    assert "REGION" in error.hint


@pytest.mark.parametrize(
    ("ahead", "words"), [(-17, "17 minutes ahead of"), (23, "23 minutes behind")]
)
def test_a_wrong_clock_is_told_by_how_much(
    bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path, ahead: int, words: str
) -> None:
    server_time = format_datetime(datetime.now(UTC) + timedelta(minutes=ahead), usegmt=True)
    proxy.plan(always(answering("403 Forbidden", "RequestTimeTooSkewed", Date=server_time)))
    error = raised_by(bucket.destination(tmp_path, url=proxy.url))
    assert str(error) == f"'s3': this machine's clock is {words} the server's."
    assert "timedatectl" in error.hint


def test_a_refused_connection_names_host_and_port(bucket: OwnBucket, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = raised_by(bucket.destination(tmp_path, url=f"http://127.0.0.1:{port}"))
    assert str(error) == f"'s3': nothing answers at 127.0.0.1:{port}: connection refused."
    assert error.temporary


def test_an_unknown_host_name_is_said_to_be_one(bucket: OwnBucket, tmp_path: Path) -> None:
    """Names under .invalid never exist (RFC 6761)."""
    error = raised_by(bucket.destination(tmp_path, url="http://storage.invalid:9000"))
    assert str(error) == "'s3': the name storage.invalid:9000 is not known to the DNS."
    assert error.temporary


def test_a_server_that_falls_silent_has_not_answered_in_time(
    bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    proxy.plan(always(Mishap(Fault.STALL)))
    error = raised_by(bucket.destination(tmp_path, url=proxy.url, tuning=QUICK_TO_GIVE_UP))
    assert "did not answer in time" in str(error)
    assert error.temporary


def test_plain_http_spoken_with_tls_is_said(bucket: OwnBucket, tmp_path: Path) -> None:
    error = raised_by(bucket.destination(tmp_path, url=bucket.url.replace("http:", "https:")))
    assert "does not speak TLS" in str(error)
    assert "http://" in error.hint


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def encrypted(moto: MotoServer, authority: trustme.CA) -> Iterator[FaultProxy]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with FaultProxy(moto.port, tls=context) as proxy:
        yield proxy


def test_a_certificate_that_nobody_vouches_for_is_refused(
    bucket: OwnBucket, encrypted: FaultProxy, tmp_path: Path
) -> None:
    error = raised_by(bucket.destination(tmp_path, url=encrypted.url))
    assert "no trusted TLS connection to 127.0.0.1" in str(error)
    assert "AWS_CA_BUNDLE" in error.hint


def test_over_tls_small_and_large_objects_are_sent_without_trailers(
    bucket: OwnBucket,
    encrypted: FaultProxy,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ceph and Swift refuse what the library would send by itself: a chunked body."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    destination = bucket.destination(tmp_path / "state", url=encrypted.url)
    for key, size in {"shop-1.zip": 10, "shop-2.zip": 3 * QUICK.smallest_part + 1}.items():
        (tmp_path / key).write_bytes(b"x" * size)
        destination.store(key, tmp_path / key, on_progress=lambda _: None)
        assert b"".join(destination.read(key)) == b"x" * size
    sent = [seen.headers for seen in encrypted.seen if seen.method == "PUT"]
    assert len(sent) == 5
    assert not any("x-amz-trailer" in headers for headers in sent)
    assert all(int(headers["content-length"]) for headers in sent)


def test_a_web_server_that_knows_no_s3_is_found_out(
    bucket: OwnBucket, proxy: FaultProxy, tmp_path: Path
) -> None:
    page = b"<html>Not Found"
    head = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(page)
    proxy.plan(always(Mishap(Fault.ANSWER, answer=head + page)))
    error = raised_by(bucket.destination(tmp_path, url=proxy.url))
    assert f"no bucket {bucket.name} at 127.0.0.1" in str(error)
    assert "ENDPOINT_URL" in error.hint


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (S3Bucket(name="b", profile="nobody"), "credentials cannot be had"),
        (S3Bucket(name="b", endpoint_url="not an address"), "cannot be used"),
        (S3Bucket(name="Not A Bucket", region="eu-west-3"), "cannot be used"),
        (S3Bucket(name="bucket", access_key_id="half"), "no credentials were found"),
    ],
)
def test_settings_that_the_library_refuses_are_explained(
    given: S3Bucket, sentence: str, tmp_path: Path
) -> None:
    error = raised_by(
        S3Destination(
            name="s3",
            bucket=given,
            prefix="",
            keeping=S3Keeping(),
            resume_directory=tmp_path,
            owns=lambda _: True,
            clock=WoundClock(),
            tuning=QUICK,
        )
    )
    assert sentence in str(error)


def test_without_credentials_it_says_where_to_put_them(
    bucket: OwnBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    nobody = OwnBucket(url=bucket.url, name=bucket.name + "x")
    object.__setattr__(nobody, "access_key_id", "")
    object.__setattr__(nobody, "secret_access_key", "")
    error = raised_by(nobody.destination(tmp_path))
    assert "no credentials were found" in str(error)
    assert "AWS_ACCESS_KEY_ID" in error.hint


def test_no_exception_of_the_library_gets_through() -> None:
    def every(kind: type[BaseException]) -> Iterator[type[BaseException]]:
        for child in kind.__subclasses__():
            yield child
            yield from every(child)

    kinds = [kind for kind in every(BotoCoreError) if kind.__module__.startswith("botocore")]
    assert len(kinds) > 80
    for kind in kinds:
        with pytest.raises(DestinationError) as raised, translated(REQUEST, WoundClock()):
            raise made(kind)
        assert raised.value.hint


def made(kind: Callable[..., BaseException]) -> BaseException:
    if kind is WaiterError:
        return WaiterError(name="x", reason="x", last_response={})
    pattern = getattr(kind, "fmt", None)
    if pattern is None:
        return kind("x")
    names = {field for _, field, _, _ in string.Formatter().parse(pattern) if field}
    return kind(**dict.fromkeys(names, "x"))


def test_every_code_of_the_table_is_filled_in_completely() -> None:
    for code in BY_CODE:
        answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        with pytest.raises(DestinationError) as raised, translated(REQUEST, WoundClock()):
            raise ClientError(answer, "PutObject")
        assert "{" not in f"{raised.value} {raised.value.hint}"
        assert len(raised.value.hint) > 20


def test_a_missing_object_is_not_found() -> None:
    answer = {"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
    with (
        pytest.raises(ObjectNotFoundError, match="There is no k at 's3'"),
        translated(REQUEST, WoundClock()),
    ):
        raise ClientError(answer, "HeadObject")
