"""What an S3 destination is told: where its bucket is, how to keep objects, how hard to try."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Bucket:
    """Where a bucket is, and who asks; "" leaves a choice to botocore, which knows many sources."""

    name: str
    endpoint_url: str = ""
    region: str = ""
    addressing_style: str = "auto"
    """`path`, `virtual` or `auto`."""
    profile: str = ""
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Keeping:
    """How the server is to keep the objects; "" and 0 leave it to the bucket."""

    storage_class: str = ""
    sse: str = ""
    """`AES256` or `aws:kms`."""
    sse_kms_key_id: str = ""
    object_lock_days: int = 0
    """Days of retention in governance mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Tuning:
    """How hard the driver tries and how much it does at once."""

    smallest_part: int = 8 * 1024 * 1024
    """Bytes; S3 allows no parts under 5 MiB but the last."""
    parts_at_once: int = 4
    attempts: int = 4
    """Of one request, by the library, seconds apart; whole deliveries are retried above."""
    connect_timeout: float = 10
    read_timeout: float = 60
