"""A bucket of a test's own, looked at behind the driver's back."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import boto3
from botocore.config import Config

from backupd.clock import SystemClock
from backupd.destinations.s3 import S3Destination
from backupd.destinations.s3_bucket import S3Bucket, S3Keeping, S3Tuning
from fakes.overheard import secret

MEBIBYTE = 1024 * 1024
QUICK = S3Tuning(smallest_part=MEBIBYTE, attempts=1, connect_timeout=30, read_timeout=30)


@dataclass(frozen=True, kw_only=True)
class OwnBucket:
    """A new bucket at an S3 server, with the keys to it."""

    url: str
    access_key_id: str = "access"
    secret_access_key: str = secret("bucket")
    name: str = field(default_factory=lambda: f"bucket-{uuid4().hex[:12]}")
    locking: bool = False
    """Whether it was made with object lock."""

    def __post_init__(self) -> None:
        self.client.create_bucket(Bucket=self.name, ObjectLockEnabledForBucket=self.locking)

    @cached_property
    def client(self) -> "boto3.client":
        """A client that goes straight to the server."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(s3={"addressing_style": "path"}),
        )

    def settings(self, url: str = "") -> S3Bucket:
        """Say where the bucket is, perhaps by way of a proxy at `url`."""
        return S3Bucket(
            name=self.name,
            endpoint_url=url or self.url,
            region="us-east-1",
            addressing_style="path",
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
        )

    def destination(
        self,
        state: Path,
        *,
        url: str = "",
        prefix: str = "",
        tuning: S3Tuning = QUICK,
        settings: S3Bucket | None = None,
        keeping: S3Keeping | None = None,
    ) -> S3Destination:
        """Make a destination in this bucket; `settings` go before `url`."""
        return S3Destination(
            name="s3",
            bucket=settings or self.settings(url),
            prefix=prefix,
            keeping=keeping or S3Keeping(),
            resume_directory=state,
            owns=lambda key: key.startswith("shop-"),
            clock=SystemClock(),
            tuning=tuning,
        )
