"""Writes one object whole or not at all, in one request or in parts that survive a crash.

Servers differ in what they understand, and no setting asks which: the richest way of saying a
request is tried first, and what a server does not understand is left out from then on.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from backupd.destinations.s3_bucket import S3Keeping, S3Tuning
from backupd.destinations.s3_client import S3Client
from backupd.destinations.s3_content import Content, Part, PartBody, base64_of
from backupd.destinations.s3_errors import code_of
from backupd.destinations.s3_parts import Answer, PartCrew
from backupd.destinations.s3_resume import ResumeDirectory, Upload
from backupd.errors import DestinationError, ObjectNotFoundError
from backupd.ports import Clock, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a server understands beyond the S3 of 2006."""

    checksums: bool
    """`x-amz-checksum-sha256` (since 2022)."""
    conditions: bool
    """`If-None-Match: *` on writes (since 2024)."""


_DIALECTS = (
    Dialect(checksums=True, conditions=True),
    Dialect(checksums=False, conditions=True),
    Dialect(checksums=False, conditions=False),
)
_NOT_UNDERSTOOD = frozenset(
    {"NotImplemented", "InvalidArgument", "InvalidRequest", "MissingContentLength", "501", "411"}
)
_PARTS_ARE_USELESS = frozenset({"InvalidPart", "InvalidPartOrder", "PreconditionFailed", "412"})


class Uploader:
    """Sends files to one bucket; uploads in parts that were cut are gone on with."""

    def __init__(
        self,
        client: S3Client,
        *,
        resume: ResumeDirectory,
        keeping: S3Keeping,
        tuning: S3Tuning,
        clock: Clock,
    ) -> None:
        self._client = client
        self._resume = resume
        self._keeping = keeping
        self._tuning = tuning
        self._clock = clock
        self._dialects: tuple[Dialect, ...] = _DIALECTS

    def send(self, key: str, content: Content, on_progress: Progress) -> Mapping[str, Any]:
        """Write `content` under `key` if nothing is there; return the server's last answer."""
        if len(content.parts) == 1:
            return self._send_whole(key, content, on_progress)
        try:
            return self._send_in_parts(key, content, on_progress)
        except ObjectNotFoundError as error:
            self._resume.forget(key)
            raise DestinationError(
                f"The server knows no longer of the upload of {key} that was under way.",
                hint="It begins anew with the next try.",
                temporary=True,
            ) from error

    def _send_whole(self, key: str, content: Content, on_progress: Progress) -> Mapping[str, Any]:
        (part,) = content.parts

        def put(dialect: Dialect) -> Mapping[str, Any]:
            checksum = {"ChecksumSHA256": base64_of(content.sha256_of(part))}
            with content.path.open("rb") as file:
                return self._client.call(
                    "put_object",
                    Key=key,
                    Body=PartBody(file, part, on_progress),
                    ContentMD5=base64_of(content.md5_of(part)),
                    **(checksum if dialect.checksums else {}),
                    **_unless_there(dialect),
                    **self._object_parameters(),
                )

        return self._understood(put)

    def _send_in_parts(
        self, key: str, content: Content, on_progress: Progress
    ) -> Mapping[str, Any]:
        upload, arrived = self._begun_before(key, content) or (self._begin(key), {})
        missing = [part for part in content.parts if part.number not in arrived]

        def send(part: Part, progress: Progress) -> Answer:
            return self._send_part(upload, content, part, progress)

        crew = PartCrew(missing, send, on_progress)
        arrived |= crew.run(min(self._tuning.parts_at_once, len(missing)))
        answer = self._complete(upload, arrived)
        self._resume.forget(key)
        return answer

    def _begun_before(self, key: str, content: Content) -> tuple[Upload, dict[int, Answer]] | None:
        """Find an upload that was begun, and those of its parts that are parts of this file."""
        upload = self._resume.load(key)
        if upload is None or (upload.where, upload.key) != (self._client.where, key):
            return None
        by_number = {part.number: part for part in content.parts}
        arrived: dict[int, Answer] = {}
        try:
            for page in self._client.pages("list_parts", Key=key, UploadId=upload.upload_id):
                for found in page.get("Parts", []):
                    part = by_number.get(found["PartNumber"])
                    if part and content.part_confirmed_by(part, found):
                        arrived[part.number] = found
        except ObjectNotFoundError:
            return None
        self._resume.save(replace(upload, last_tried_at=self._clock.now()))
        return upload, arrived

    def _begin(self, key: str) -> Upload:
        def create(dialect: Dialect) -> Mapping[str, Any]:
            return self._client.call(
                "create_multipart_upload",
                Key=key,
                **({"ChecksumAlgorithm": "SHA256"} if dialect.checksums else {}),
                **self._object_parameters(),
            )

        answer = self._understood(create)
        upload = Upload(
            upload_id=answer["UploadId"],
            where=self._client.where,
            key=key,
            checksums=answer.get("ChecksumAlgorithm") == "SHA256",
            last_tried_at=self._clock.now(),
        )
        self._resume.save(upload)
        return upload

    def _send_part(
        self, upload: Upload, content: Content, part: Part, on_progress: Progress
    ) -> Answer:
        # A server that ignores checksums still refuses a part whose MD5 is wrong.
        digest = (
            {"ChecksumSHA256": base64_of(content.sha256_of(part))}
            if upload.checksums
            else {"ContentMD5": base64_of(content.md5_of(part))}
        )
        with content.path.open("rb") as file:
            answer = self._client.call(
                "upload_part",
                Key=upload.key,
                UploadId=upload.upload_id,
                PartNumber=part.number,
                Body=PartBody(file, part, on_progress),
                **digest,
            )
        if content.part_confirmed_by(part, answer) is False:
            raise DestinationError(
                f"Part {part.number} of {upload.key} arrived damaged.",
                hint="If it happens again, test this machine's memory and the network on the way.",
                temporary=True,
            )
        return answer

    def _complete(self, upload: Upload, arrived: Mapping[int, Answer]) -> Mapping[str, Any]:
        parts = [
            {
                name: value
                for name, value in {"PartNumber": number, **arrived[number]}.items()
                if name in {"PartNumber", "ETag", "ChecksumSHA256"}
            }
            for number in sorted(arrived)
        ]

        def complete(dialect: Dialect) -> Mapping[str, Any]:
            return self._client.call(
                "complete_multipart_upload",
                Key=upload.key,
                UploadId=upload.upload_id,
                MultipartUpload={"Parts": parts},
                **_unless_there(dialect),
            )

        try:
            return self._understood(complete)
        except DestinationError as error:
            if code_of(error) in _PARTS_ARE_USELESS:
                self._resume.forget(upload.key)
                self.abort(upload.key, upload.upload_id)
            raise

    def abort(self, key: str, upload_id: str) -> None:
        """Have the server throw away an upload's parts; no matter if it is gone already."""
        with suppress(ObjectNotFoundError):
            self._client.call("abort_multipart_upload", Key=key, UploadId=upload_id)

    def _understood(self, say: Callable[[Dialect], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Say a request in the richest dialect that the server understands, and remember it."""
        for position, dialect in enumerate(self._dialects):
            try:
                answer = say(dialect)
            except DestinationError as error:
                if code_of(error) not in _NOT_UNDERSTOOD or dialect == self._dialects[-1]:
                    raise
            else:
                self._dialects = self._dialects[position:]
                return answer
        raise AssertionError("the last dialect either works or raises")

    def _object_parameters(self) -> Mapping[str, Any]:
        keeping = self._keeping
        parameters: dict[str, Any] = {
            "StorageClass": keeping.storage_class,
            "ServerSideEncryption": keeping.sse,
            "SSEKMSKeyId": keeping.sse_kms_key_id,
        }
        if keeping.object_lock_days:
            until = self._clock.now() + timedelta(days=keeping.object_lock_days)
            parameters |= {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
        return {name: value for name, value in parameters.items() if value}


def _unless_there(dialect: Dialect) -> Mapping[str, str]:
    return {"IfNoneMatch": "*"} if dialect.conditions else {}
