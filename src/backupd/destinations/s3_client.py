"""A botocore client that speaks to every engine, with its exceptions translated.

Checksums are ours: each request carries digests that were worked out from the file, so the
library must not add its own. With its default it sends them as trailers over HTTPS, which
Ceph (411) and Swift (501) refuse; hence `when_required`, which needs no setting by the user.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import ClientError, PartialCredentialsError

from backupd.destinations.s3_bucket import S3Bucket, S3Tuning
from backupd.destinations.s3_content import PartBody
from backupd.destinations.s3_errors import Request, code_of, translated
from backupd.errors import DestinationError, ObjectNotFoundError
from backupd.ports import Clock

_CHUNK = 1024 * 1024
_MOST_IN_ONE_REQUEST = 1000
"""Keys that DeleteObjects takes (Amazon S3 API Reference)."""
_NO_BATCHES = frozenset({"MissingContentMD5", "NotImplemented", "MethodNotAllowed", "501"})


class S3Client:
    """The requests that the driver makes; raises DestinationError and ObjectNotFoundError."""

    def __init__(self, destination: str, bucket: S3Bucket, tuning: S3Tuning, clock: Clock) -> None:
        self._destination = destination
        self._bucket = bucket.name
        self._clock = clock
        self._where = _host(bucket.endpoint_url) or "AWS"
        with self._translated("opening"):
            self._boto = _open(bucket, tuning)
        self._where = _host(self._boto.meta.endpoint_url)
        self.where = f"{self._where}/{bucket.name}"
        self._boto.meta.events.register("before-send.s3", _begin_sending)

    def call(self, operation: str, **parameters: object) -> Mapping[str, Any]:
        """Make one request on the bucket; `operation` and parameters are botocore's."""
        with self._translated(operation, str(parameters.get("Key", ""))):
            answer: Mapping[str, Any] = getattr(self._boto, operation)(
                Bucket=self._bucket, **parameters
            )
        return answer

    def delete(self, keys: Sequence[str]) -> dict[str, DestinationError]:
        """Delete objects; return those that are still there, each with its reason."""
        failed: dict[str, DestinationError] = {}
        for start in range(0, len(keys), _MOST_IN_ONE_REQUEST):
            failed |= self._delete_together(keys[start : start + _MOST_IN_ONE_REQUEST])
        return failed

    def _delete_together(self, keys: Sequence[str]) -> dict[str, DestinationError]:
        """Delete with one request; one by one where the server does not know that."""
        objects = [{"Key": key} for key in keys]
        try:
            answer = self.call("delete_objects", Delete={"Objects": objects, "Quiet": True})
        except DestinationError as error:
            if code_of(error) not in _NO_BATCHES:
                raise
            return self._delete_one_by_one(keys)
        return {
            refused["Key"]: self._refusal(refused)
            for refused in answer.get("Errors", [])
            if refused.get("Code") != "NoSuchKey"
        }

    def _delete_one_by_one(self, keys: Sequence[str]) -> dict[str, DestinationError]:
        failed: dict[str, DestinationError] = {}
        for key in keys:
            try:
                self.call("delete_object", Key=key)
            except ObjectNotFoundError:
                continue
            except DestinationError as error:
                failed[key] = error
        return failed

    def _refusal(self, refused: Mapping[str, Any]) -> DestinationError:
        """Say what the refusal of one object, within the answer for many, means."""
        try:
            with self._translated("delete_object", refused["Key"]):
                raise ClientError({"Error": dict(refused)}, "DeleteObjects")
        except DestinationError as error:
            return error

    def has_object_lock(self) -> bool:
        """Tell whether objects of the bucket can be locked; no, where nobody may ask."""
        try:
            answer = self.call("get_object_lock_configuration")
        except DestinationError as error:
            if error.temporary:
                raise
            return False
        return bool(answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled"))

    def locked_until(self, key: str) -> datetime | None:
        """Tell until when an object is locked; None if it is not, or not there."""
        try:
            until = self.call("head_object", Key=key).get("ObjectLockRetainUntilDate")
        except ObjectNotFoundError:
            return None
        return until.astimezone(UTC) if isinstance(until, datetime) else None

    def pages(self, operation: str, **parameters: object) -> Iterator[Mapping[str, Any]]:
        """Make as many requests as a long listing needs."""
        key = str(parameters.get("Key", ""))
        with self._translated(operation, key):
            pages = iter(
                self._boto.get_paginator(operation).paginate(Bucket=self._bucket, **parameters)
            )
        while True:
            with self._translated(operation, key):
                page: Mapping[str, Any] | None = next(pages, None)
            if page is None:
                return
            yield page

    def read(self, key: str, start: int, length: int | None) -> Iterator[bytes]:
        """Give an object's bytes as they come, in chunks; the connection is closed at the end."""
        if length == 0:
            return
        last = "" if length is None else start + length - 1
        span = {"Range": f"bytes={start}-{last}"} if start or length is not None else {}
        try:
            answer = self.call("get_object", Key=key, **span)
        except DestinationError as error:
            if code_of(error) == "InvalidRange":  # nothing follows `start`
                return
            raise
        stream = answer["Body"]
        try:
            if span and not str(answer.get("ContentRange", "")).startswith(f"bytes {start}-"):
                raise DestinationError(
                    f"'{self._destination}': the server cannot read a part of an object.",
                    hint="backupd needs an S3 server that knows the Range header.",
                )
            while True:
                with self._translated("get_object", key):
                    data: bytes = stream.read(_CHUNK)
                if not data:
                    return
                yield data
        finally:
            stream.close()

    def _translated(self, operation: str, key: str = "") -> Any:  # noqa: ANN401
        request = Request(
            destination=self._destination,
            bucket=self._bucket,
            where=self._where,
            operation=operation,
            key=key,
        )
        return translated(request, self._clock)


def server_time_of(answer: Mapping[str, Any]) -> datetime | None:
    """Read from an answer what the server's clock says; None if it does not say."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(date).astimezone(UTC)
    except ValueError:
        return None


def _open(bucket: S3Bucket, tuning: S3Tuning) -> Any:  # noqa: ANN401  (botocore has no types)
    if bool(bucket.access_key_id) != bool(bucket.secret_access_key):
        raise PartialCredentialsError(provider="the settings", cred_var="the other half")
    # boto3 would add a tenth of a second, for its own layer above this client and its uploads.
    session = botocore.session.Session(profile=bucket.profile or None)
    config = Config(
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "total_max_attempts": tuning.attempts},
        connect_timeout=tuning.connect_timeout,
        read_timeout=tuning.read_timeout,
        max_pool_connections=tuning.parts_at_once + 2,
        # Each body comes with a digest in a signed header; signing the body too would only read
        # and digest everything once more.
        s3={"addressing_style": bucket.addressing_style, "payload_signing_enabled": False},
        user_agent_appid="backupd",
    )
    return session.create_client(
        "s3",
        region_name=bucket.region or None,
        endpoint_url=bucket.endpoint_url or None,
        aws_access_key_id=bucket.access_key_id or None,
        aws_secret_access_key=bucket.secret_access_key or None,
        aws_session_token=bucket.session_token or None,
        config=config,
    )


def _begin_sending(request: AWSPreparedRequest, **_: object) -> None:
    if isinstance(request.body, PartBody):
        request.body.begin_sending()


def _host(url: str) -> str:
    """Return a URL's host and port, and never the credentials that somebody put into it."""
    return urlsplit(url).netloc.rpartition("@")[2]
