"""The sections that say what is backed up, and to where."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, SecretStr, ValidationInfo, field_validator

from backupd.settings.kinds import (
    AbsolutePath,
    DatabasePassword,
    DatabaseUrl,
    List,
    Patterns,
    Positive,
    Rate,
    Seconds,
    Secret,
)
from backupd.sources.database_url import kind_of
from backupd.sources.options import checked_options, checked_tables


class Encryption(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """How an archive with a password is encrypted."""

    hide_names: bool = False
    """Encrypt the archive as one member of an outer ZIP: names are hidden, 7-Zip opens it in two
    steps."""


class Source(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """The file tree."""

    root: Path = Path()
    """The application's directory. Default: the current one."""
    include: List = (".",)
    """What to take, relative to ROOT or absolute; a path that does not exist is an error."""
    exclude: Patterns = ()
    """What to leave out, as gitignore patterns, as vendor/,node_modules/,*.log"""
    follow_symlinks: bool = False
    """Take what symbolic links point to, not the links."""
    ignore_unreadable: bool = False
    """A file that cannot be read is left out without making the backup partial."""
    one_file_system: bool = False
    """Do not enter directories that are mount points."""


class Database(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """One database; <name> is yours to choose, and names its dump."""

    url: DatabaseUrl
    """Where it is: sqlite:///relative/or//absolute.sqlite, postgresql://user:password@host/name,
    mysql://…, mariadb://…, mongodb://…"""
    password: DatabasePassword | None = None
    """The password, as it is, if it is not in URL."""
    include_tables: List = ()
    """Only these tables: shell patterns over table or schema.table, as app.*,log_?"""
    exclude_tables: List = ()
    """All tables but these: shell patterns too."""
    tables_without_data: List = ()
    """Tables that are dumped empty: shell patterns too."""
    schema_only: bool = False
    """Dump the tables' definitions and no rows."""
    globals: bool = False
    """PostgreSQL: dump the server's roles and tablespaces too."""
    format: Literal["custom", "plain"] = "custom"
    """PostgreSQL: pg_dump's format, custom or plain."""
    compress: Literal["none", "gzip"] = "none"
    """Compression of the dump itself; the archive compresses anyway."""
    timeout: Seconds | None = None
    """Seconds that a dump may take: 21600 (SQLite: that it may wait for a lock: 60)."""
    stall_timeout: Seconds = 900
    """Seconds in which the dump program may give nothing, as while it waits for a lock."""
    options: List = ()
    """More options for the dump program, as --no-owner,--no-comments"""
    program: AbsolutePath | None = None
    """The dump program, where it is not on PATH."""
    required: bool = True
    """Whether a failed dump fails the backup; if not, it makes the backup a partial one."""

    @field_validator("options")
    @classmethod
    def _options_fit(cls, value: tuple[str, ...], others: ValidationInfo) -> tuple[str, ...]:
        return checked_options(_kind(others), value)

    @field_validator("include_tables", "exclude_tables", "tables_without_data")
    @classmethod
    def _tables_fit(cls, value: tuple[str, ...], others: ValidationInfo) -> tuple[str, ...]:
        if value:
            checked_tables(_kind(others), str(others.field_name), value)
        return value


def _kind(others: ValidationInfo) -> str:
    """Tell what kind of database the fields belong to; "" if its URL is no good."""
    url = others.data.get("url")
    return kind_of(url.get_secret_value()) if isinstance(url, SecretStr) else ""


class LocalDestination(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """A directory on this machine."""

    type: Literal["local"]
    """What it is: local or s3."""
    path: AbsolutePath
    """local: the directory."""
    max_rate: Rate | None = None
    """The most bytes a second to send there, or to read there, as 10MB. Default: no limit."""
    required: bool = True
    """Whether a backup without a copy here is a partial one."""


class S3Destination(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """A bucket of AWS S3, or of any storage with its API."""

    type: Literal["s3"]
    """What it is: local or s3."""
    bucket: str
    """s3: the bucket, which must exist."""
    prefix: str = ""
    """s3: the beginning of every key, as backups/"""
    endpoint_url: str | None = None
    """s3: the storage's address, where it is not AWS."""
    region: str | None = None
    """s3: the bucket's region. Default: AWS_DEFAULT_REGION."""
    profile: str | None = None
    """s3: a profile of ~/.aws/config that has the credentials."""
    storage_class: str | None = None
    """s3: as STANDARD_IA. Default: the bucket's."""
    sse: Literal["AES256", "aws:kms"] | None = None
    """s3: encryption by the server, AES256 or aws:kms."""
    sse_kms_key_id: str | None = None
    """s3: the key for aws:kms. Default: the account's."""
    object_lock_days: Positive | None = None
    """s3: nobody can delete a copy for so many days; the bucket must allow object lock."""
    addressing_style: Literal["auto", "path", "virtual"] = "auto"
    """s3: where the bucket's name goes in addresses: auto, path or virtual."""
    max_rate: Rate | None = None
    """The most bytes a second to send there, or to read there, as 10MB. Default: no limit."""
    required: bool = True
    """Whether a backup without a copy here is a partial one."""


class Aws(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """The guide's own names, for every S3 destination that has no PROFILE."""

    access_key_id: str | None = None
    """The access key; without it, botocore looks where it always does."""
    secret_access_key: Secret | None = None
    """The secret key that goes with it."""
    default_region: str | None = None
    """The region of buckets for which none is set."""
    bucket: str | None = None
    """Set, and no S3 destination named: there is one called s3, in this bucket."""
