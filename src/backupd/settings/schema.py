"""Every setting: its kind, its default and what it means; each section is a frozen type.

The text under each attribute is its description in `etc/backupd.env.example` and in
`docs/reference/settings.md`, where a test ties it to this module.
"""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from backupd.settings.kinds import (
    AbsolutePath,
    Compression,
    Language,
    LogFormat,
    LogLevel,
    Positive,
    Secret,
    SetName,
)
from backupd.settings.places import (
    Aws,
    Database,
    Encryption,
    LocalDestination,
    S3Destination,
)
from backupd.settings.places import Source as SourceSection
from backupd.settings.rules import Drill, Monitor, Restore, Retention, Retry, Schedule
from backupd.settings.telling import Mail, Metrics, Notify

Destination = Annotated[LocalDestination | S3Destination, Field(discriminator="type")]


class Settings(BaseSettings):
    """All settings of one backup set."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="BACKUP_",
        env_nested_delimiter="__",
        enable_decoding=False,
        use_attribute_docstrings=True,
    )

    name: SetName | None = None
    """The backup set's name, which begins every archive's. Default: the name of SOURCE__ROOT's
    last directory."""
    timezone: ZoneInfo | None = None
    """The time zone of schedules and archive names, as Europe/Paris. Default: the system's."""
    archive_password: Secret | None = None
    """Encrypts archives with AES-256. Empty: they are not encrypted. Keep it where this server's
    loss does not reach: without it the backups cannot be read."""
    spool: AbsolutePath | None = None
    """Where archives are built, and kept until every destination has them. Default: in the state
    directory. On the file system of a local destination it costs nothing."""
    spool_keep_last: bool = True
    """Where no destination is local, keep the newest archive in the spool: unchanged files are
    carried over from it."""
    compression: Compression = "fast"
    """How hard members are deflated: fast, balanced or small."""
    full_every_days: Positive = 30
    """After so many days every file is read and compressed anew, changed or not."""
    log_format: LogFormat = "auto"
    """How the log is written: auto (the journal under systemd, lines elsewhere), journal, console
    or json."""
    log_level: LogLevel = "info"
    """The least that is logged: debug, info, warning or error."""
    language: Language = "en"
    """The language of messages for people: en or fr."""

    encryption: Encryption = Encryption()
    source: SourceSection = SourceSection()
    databases: dict[str, Database] = Field(default_factory=dict)
    destinations: dict[str, Destination] = Field(default_factory=dict)
    schedule: Schedule = Schedule()
    retention: Retention = Retention()
    monitor: Monitor = Monitor()
    drill: Drill = Drill()
    restore: Restore = Restore()
    mail: Mail = Mail()
    notify: Notify = Notify()
    metrics: Metrics = Metrics()
    retry: Retry = Retry()
    aws: Aws = Aws()

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `read.py` found; the process environment has no second way past it."""
        return (init_settings,)
