"""A bucket of any S3-compatible server as a destination."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backupd.destinations.s3_bucket import S3Bucket, S3Keeping, S3Tuning
from backupd.destinations.s3_content import Content
from backupd.destinations.s3_resume import ResumeDirectory
from backupd.errors import DestinationError
from backupd.model import StoredObject
from backupd.ports import Clock, Gauges, Progress

if TYPE_CHECKING:
    from backupd.destinations.s3_client import S3Client
    from backupd.destinations.s3_upload import Uploader


class S3Destination:
    """Objects directly under a prefix of a bucket.

    An object is confirmed before `store` returns: by the checksum or the MD5 that the server
    reports, or, where it reports neither, by reading everything back. Memory does not depend on
    the object's size: some 20 MiB for the library, and under 1 MiB for each part under way.
    """

    def __init__(
        self,
        *,
        name: str,
        bucket: S3Bucket,
        prefix: str,
        keeping: S3Keeping,
        resume_directory: Path,
        owns: Callable[[str], bool],
        clock: Clock,
        tuning: S3Tuning | None = None,
    ) -> None:
        """Take plain values; `owns` tells the keys of this backup set from those of others."""
        self.name = name
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._keeping = keeping
        self._resume = ResumeDirectory(resume_directory)
        self._owns = owns
        self._clock = clock
        self._tuning = tuning or S3Tuning()
        self._opening = threading.Lock()
        self._opened: tuple[S3Client, Uploader] | None = None

    def store(self, key: str, path: Path, *, on_progress: Progress) -> StoredObject:
        """Bring the file here in one request or in parts, going on with an upload that was cut.

        What is there already is left alone; if it is the same file, that is success.
        """
        try:
            return self._stored_whole(key, Content(path, self._tuning.smallest_part), on_progress)
        except OSError as error:
            raise _unreadable(error) from error

    def _stored_whole(self, key: str, content: Content, on_progress: Progress) -> StoredObject:
        if self._find(key) is not None:
            return self._the_same_there(key, content, on_progress)
        client, uploader = self._open()
        try:
            answer = uploader.send(self._prefix + key, content, on_progress)
        except DestinationError:
            # A reply may be lost after the write was done, and the library's next try is then
            # refused because of our own object: what counts is what stands there.
            with suppress(DestinationError):
                return self._the_same_there(key, content, on_progress)
            raise
        stored = self._confirmed(key, content, answer, on_progress)
        if stored is None:
            client.call("delete_object", Key=self._prefix + key)
            raise DestinationError(
                f"'{self.name}': what the server kept of {key} is not what was sent; "
                "it was removed again.",
                hint="If it happens again, test the network on the way and the server's storage.",
                temporary=True,
            )
        return stored

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Give the object's bytes in chunks of at most 1 MiB."""
        client, _ = self._open()
        yield from client.read(self._prefix + key, start, length)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Give the objects directly under the destination's prefix, 1,000 with each request."""
        client, _ = self._open()
        for page in client.pages("list_objects_v2", Prefix=self._prefix + prefix, Delimiter="/"):
            for entry in page.get("Contents", []):
                if entry["Key"] != self._prefix:  # some consoles keep an empty object as a folder
                    yield self._stored(entry, "")

    def delete(self, keys: Sequence[str]) -> Mapping[str, DestinationError]:
        """Remove the objects, a thousand with each request.

        In a bucket with versions, their bytes stay as older versions.
        """
        client, _ = self._open()
        failed = client.delete([self._prefix + key for key in keys])
        return {key.removeprefix(self._prefix): error for key, error in failed.items()}

    def locked_until(self, keys: Sequence[str]) -> Mapping[str, datetime]:
        """Ask for each object until when object lock keeps it, if the bucket has object lock.

        A delete would succeed all the same, and only hide the object.
        """
        client, _ = self._open()
        return {
            key: until
            for key in (keys if client.has_object_lock() else ())
            if (until := client.locked_until(self._prefix + key)) is not None
        }

    def gauges(self, before: datetime) -> Gauges:
        """Tell the server's clock, and the uploads that nobody has gone on with since `before`."""
        from backupd.destinations.s3_client import server_time_of  # noqa: PLC0415

        client, _ = self._open()
        remembered = {upload.upload_id: upload.last_tried_at for upload in self._resume.all()}
        leftovers: list[str] = []
        server_time: datetime | None = None
        for page in client.pages("list_multipart_uploads", Prefix=self._prefix):
            server_time = server_time or server_time_of(page)
            for found in page.get("Uploads", []):
                key = found["Key"].removeprefix(self._prefix)
                alive_at = remembered.get(found["UploadId"], found["Initiated"])
                if self._owns(key) and alive_at < before:
                    leftovers.append(key)
        ahead = server_time - self._clock.now() if server_time else None
        return Gauges(clock_ahead=ahead, leftovers=tuple(leftovers))

    def sweep(self, before: datetime) -> Sequence[str]:
        """Abort this set's uploads that nobody has gone on with since that moment."""
        client, uploader = self._open()
        swept: list[str] = []
        remembered = {upload.upload_id: upload for upload in self._resume.all()}
        for page in client.pages("list_multipart_uploads", Prefix=self._prefix):
            for found in page.get("Uploads", []):
                key = found["Key"].removeprefix(self._prefix)
                known = remembered.get(found["UploadId"])
                alive_at = known.last_tried_at if known else found["Initiated"]
                if self._owns(key) and alive_at < before:
                    uploader.abort(found["Key"], found["UploadId"])
                    swept.append(key)
        for upload in remembered.values():
            if upload.last_tried_at < before:
                self._resume.forget(upload.key)
        return swept

    def _open(self) -> "tuple[S3Client, Uploader]":
        """Make the client when it is first needed: importing botocore takes a fifth of a second."""
        from backupd.destinations.s3_client import S3Client  # noqa: PLC0415
        from backupd.destinations.s3_upload import Uploader  # noqa: PLC0415

        with self._opening:
            if self._opened is None:
                client = S3Client(self.name, self._bucket, self._tuning, self._clock)
                uploader = Uploader(
                    client,
                    resume=self._resume,
                    keeping=self._keeping,
                    tuning=self._tuning,
                    clock=self._clock,
                )
                self._opened = client, uploader
            return self._opened

    def _find(self, key: str) -> Mapping[str, Any] | None:
        """Look for an object by listing, which says more than HEAD when it fails."""
        client, _ = self._open()
        whole_key = self._prefix + key
        answer = client.call("list_objects_v2", Prefix=whole_key, MaxKeys=1)
        entries: Sequence[Mapping[str, Any]] = answer.get("Contents", [])
        return next((entry for entry in entries if entry["Key"] == whole_key), None)

    def _the_same_there(self, key: str, content: Content, on_progress: Progress) -> StoredObject:
        stored = self._confirmed(key, content, {}, on_progress)
        if stored is None:
            raise DestinationError(
                f"'{self.name}' already keeps something else under the name {key}, which stays.",
                hint="Look at what it is, and move it away if it is not needed.",
            )
        return stored

    def _confirmed(
        self, key: str, content: Content, answer: Mapping[str, Any], on_progress: Progress
    ) -> StoredObject | None:
        """Return the object if it is there and certainly holds `content`; else None."""
        entry = self._find(key)
        if entry is None or entry["Size"] != content.size:
            return None
        sha256 = content.sha256(on_progress)
        certain = (
            content.confirmed_by(answer)
            or content.confirmed_by(entry)
            or content.confirmed_by(self._head(key))
            or self._sha256_read_back(key) == sha256
        )
        return self._stored(entry, sha256) if certain else None

    def _head(self, key: str) -> Mapping[str, Any]:
        client, _ = self._open()
        return client.call("head_object", Key=self._prefix + key, ChecksumMode="ENABLED")

    def _sha256_read_back(self, key: str) -> str:
        digest = hashlib.sha256()
        for chunk in self.read(key):
            digest.update(chunk)
        return digest.hexdigest()

    def _stored(self, entry: Mapping[str, Any], sha256: str) -> StoredObject:
        return StoredObject(
            key=entry["Key"].removeprefix(self._prefix),
            size=entry["Size"],
            modified_at=entry["LastModified"].astimezone(UTC),
            sha256=sha256,
        )


def _unreadable(error: OSError) -> DestinationError:
    """Say that the file to deliver cannot be read."""
    return DestinationError(
        f"The file to deliver cannot be read ({error}).",
        hint="Check the health of the disk that holds BACKUP_SPOOL.",
    )
