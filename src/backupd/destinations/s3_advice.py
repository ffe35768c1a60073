"""What an S3 server's answers and the network's failures mean, and what to do about each.

`docs/how-to/s3-troubleshooting.md` is this table for people; a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One sentence and one hint; `{…}` are filled in from the request that failed."""

    sentence: str
    hint: str
    temporary: bool = False


NO_PERMISSION = Advice(
    sentence="these credentials may not do {action} on bucket {bucket}",
    hint="Allow {action} on the bucket and the prefix; the policies to start from are in "
    "docs/how-to/s3.md.",
)
UNKNOWN_KEY = Advice(
    sentence="the server does not know the access key",
    hint="Check AWS_ACCESS_KEY_ID, or the PROFILE, and that the key belongs to this endpoint.",
)
WRONG_SECRET = Advice(
    sentence="the server refuses the signature, so the secret key is a wrong one",
    hint="Set AWS_SECRET_ACCESS_KEY anew; look for a missing or an added character.",
)
EXPIRED_TOKEN = Advice(
    sentence="the temporary credentials have expired",
    hint="Renew the session token, or give backupd a key or a role that does not expire.",
)
NO_BUCKET = Advice(
    sentence="there is no bucket {bucket} at {where}",
    hint="Create the bucket, or correct BUCKET, ENDPOINT_URL or ADDRESSING_STYLE.",
)
WRONG_REGION = Advice(
    sentence="bucket {bucket} is in another region{region}",
    hint="Set REGION of this destination to the region of the bucket.",
)
CLOCK_SKEW = Advice(
    sentence="this machine's clock is {skew} the server's",
    hint="Set the clock with 'timedatectl set-ntp true', then look at 'timedatectl'.",
)
SLOW_DOWN = Advice(
    sentence="the server asks for fewer requests ({code})",
    hint="Nothing needs doing if it passes; else spread the hosts with SCHEDULE__JITTER.",
    temporary=True,
)
SERVER_TROUBLE = Advice(
    sentence="the server has trouble of its own ({code})",
    hint="Nothing needs doing if it passes; else ask those who run the server.",
    temporary=True,
)
ARRIVED_DAMAGED = Advice(
    sentence="the bytes arrived damaged and the server refused them ({code})",
    hint="If it happens again, test this machine's memory and the network on the way.",
    temporary=True,
)
LOCKED = Advice(
    sentence="{key} is locked, and the server keeps it ({said})",
    hint="Nothing needs doing: clean removes it when the lock has run out.",
)
SOMETHING_THERE = Advice(
    sentence="something else is already kept under {key}",
    hint="Nothing was overwritten; look at what stands there, and move it away.",
)
NOT_OFFERED = Advice(
    sentence="the server refuses {operation} ({code}: {said})",
    hint="OBJECT_LOCK_DAYS needs a bucket made with object lock; STORAGE_CLASS and SSE, what the "
    "server offers. Leave out what it does not have.",
)
KMS_KEY = Advice(
    sentence="the encryption key cannot be used ({code})",
    hint="Check SSE_KMS_KEY_ID, and that these credentials may do kms:GenerateDataKey and "
    "kms:Decrypt with that key.",
)
QUOTA = Advice(
    sentence="the quota of the bucket or the account is used up",
    hint="Enlarge the quota, or keep less: RETENTION__MAX_MEGABYTES.",
)
REFUSED = Advice(
    sentence="the server refuses {operation} ({code}: {said})",
    hint="Run 'backupd doctor' to see what this destination allows.",
)
NO_CREDENTIALS = Advice(
    sentence="no credentials were found",
    hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or PROFILE, or give the machine a role.",
)
BAD_CREDENTIALS = Advice(
    sentence="the credentials cannot be had ({said})",
    hint="Check PROFILE and the files it names; after a single sign-on ended, sign on again.",
)
BAD_SETTINGS = Advice(
    sentence="the settings of the bucket cannot be used ({said})",
    hint="Check BUCKET, ENDPOINT_URL, REGION and ADDRESSING_STYLE of this destination.",
)
NO_NAME = Advice(
    sentence="the name {where} is not known to the DNS",
    hint="Check ENDPOINT_URL and REGION, and that this machine resolves names: 'getent hosts'.",
    temporary=True,
)
CONNECTION_REFUSED = Advice(
    sentence="nothing answers at {where}: connection refused",
    hint="Check ENDPOINT_URL and its port, that the server runs, and the firewall between.",
    temporary=True,
)
UNREACHABLE = Advice(
    sentence="{where} cannot be reached ({said})",
    hint="Check the network, the proxy and the firewall of this machine.",
    temporary=True,
)
TLS = Advice(
    sentence="no trusted TLS connection to {where} ({said})",
    hint="Check the server's certificate and this machine's clock; for an authority of your own, "
    "set AWS_CA_BUNDLE to its certificate.",
)
NOT_TLS = Advice(
    sentence="{where} does not speak TLS",
    hint="Write http:// in ENDPOINT_URL, or the port that speaks TLS.",
)
TIMED_OUT = Advice(
    sentence="{where} did not answer in time",
    hint="Nothing needs doing if it passes; else check the network, and MAX_RATE on a thin line.",
    temporary=True,
)
CUT_OFF = Advice(
    sentence="the connection to {where} was cut",
    hint="Nothing needs doing if it passes; else look for what cuts it: a proxy, a firewall.",
    temporary=True,
)
UNREADABLE_ANSWER = Advice(
    sentence="{where} gave an answer that is not S3's ({said})",
    hint="Check that ENDPOINT_URL is the S3 address, not the server's web page.",
    temporary=True,
)

BY_CODE: Mapping[str, Advice] = {
    "AccessDenied": NO_PERMISSION,
    "AllAccessDisabled": NO_PERMISSION,
    "403": NO_PERMISSION,
    "InvalidAccessKeyId": UNKNOWN_KEY,
    "SignatureDoesNotMatch": WRONG_SECRET,
    "ExpiredToken": EXPIRED_TOKEN,
    "InvalidToken": EXPIRED_TOKEN,
    "TokenRefreshRequired": EXPIRED_TOKEN,
    "NoSuchBucket": NO_BUCKET,
    "PermanentRedirect": WRONG_REGION,
    "AuthorizationHeaderMalformed": WRONG_REGION,
    "IllegalLocationConstraintException": WRONG_REGION,
    "301": WRONG_REGION,
    "RequestTimeTooSkewed": CLOCK_SKEW,
    "SlowDown": SLOW_DOWN,
    "TooManyRequests": SLOW_DOWN,
    "Throttling": SLOW_DOWN,
    "429": SLOW_DOWN,
    "RequestTimeout": SERVER_TROUBLE,
    "OperationAborted": SERVER_TROUBLE,
    "ConditionalRequestConflict": SERVER_TROUBLE,
    "BadDigest": ARRIVED_DAMAGED,
    "IncompleteBody": ARRIVED_DAMAGED,
    "XAmzContentSHA256Mismatch": ARRIVED_DAMAGED,
    "XAmzContentChecksumMismatch": ARRIVED_DAMAGED,
    "ObjectLocked": LOCKED,
    "PreconditionFailed": SOMETHING_THERE,
    "412": SOMETHING_THERE,
    "InvalidRequest": NOT_OFFERED,
    "InvalidArgument": NOT_OFFERED,
    "InvalidStorageClass": NOT_OFFERED,
    "NotImplemented": NOT_OFFERED,
    "QuotaExceeded": QUOTA,
}
"""By the code of an error answer ("Error responses", Amazon S3 API Reference)."""

IAM_ACTIONS: Mapping[str, str] = {
    "abort_multipart_upload": "s3:AbortMultipartUpload",
    "complete_multipart_upload": "s3:PutObject",
    "create_multipart_upload": "s3:PutObject",
    "delete_object": "s3:DeleteObject",
    "delete_objects": "s3:DeleteObject",
    "get_object": "s3:GetObject",
    "get_object_lock_configuration": "s3:GetBucketObjectLockConfiguration",
    "head_object": "s3:GetObject",
    "list_multipart_uploads": "s3:ListBucketMultipartUploads",
    "list_objects_v2": "s3:ListBucket",
    "list_parts": "s3:ListMultipartUploadParts",
    "put_object": "s3:PutObject",
    "upload_part": "s3:PutObject",
}
"""The permission that each request needs (Service Authorization Reference, Amazon S3)."""
