"""The sections that say who is told of what."""

from typing import Literal

from pydantic import BaseModel, Field

from backupd.settings.kinds import (
    AbsolutePath,
    Addresses,
    Channels,
    Count,
    Port,
    Secret,
    WebAddress,
)

_ALL: tuple[Literal["mail", "webhook", "slack", "discord", "apprise"], ...] = (
    "mail",
    "webhook",
    "slack",
    "discord",
    "apprise",
)


class Mail(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Mail; without TO, nobody is written to. BACKUP_MAIL_TO is another name for MAIL__TO."""

    to: Addresses = ()
    """Who is written to, as admin@example.org,boss@example.org"""
    from_: str | None = Field(default=None, alias="from")
    """The sender. Default: backupd@ and this host's name."""
    host: str = "localhost"
    """The mail server."""
    port: Port | None = None
    """Its port. Default: 587 for starttls, 465 for tls, 25 for none."""
    username: str | None = None
    """The user to log in as. Default: no login."""
    password: Secret | None = None
    """The password that goes with it."""
    tls: Literal["starttls", "tls", "none"] | None = None
    """How the connection is encrypted: starttls, tls or none. Default: none for localhost,
    starttls for any other HOST."""


class Webhook(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """A generic webhook."""

    url: WebAddress | None = None
    """Where events are posted as JSON."""
    secret: Secret | None = None
    """Signs what is posted, by HMAC-SHA-256."""


class ChatWebhook(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """A chat's webhook."""

    webhook_url: WebAddress | None = None
    """The address that the chat gives out for a channel."""


class Apprise(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Any service of Apprise."""

    urls: Secret | None = None
    """Apprise's addresses, comma-separated."""


class Ping(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """A dead man's ping."""

    url: WebAddress | None = None
    """What is called when a backup starts (/start), succeeds and fails (/fail), as Healthchecks
    understands it."""


class Notify(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """How much people are told, and which of the channels that are set up each event goes to."""

    when: Literal["problems", "every"] = "problems"
    """problems: when one begins and when it ends, and one digest a week. every: how every single
    backup, cleanup and health check came out, as laravel-backup tells it."""
    repeat_days: Count = 7
    """A problem that stays is told again after so many days; 0: never."""
    backup_succeeded: Channels = _ALL
    """A backup was taken and delivered everywhere (with WHEN=problems: the first one). none:
    tell nobody."""
    backup_partial: Channels = _ALL
    """There is a backup, but a required copy or a file is missing."""
    backup_failed: Channels = _ALL
    """There is no new backup."""
    clean_succeeded: Channels = _ALL
    """The retention policy was applied (with WHEN=every only)."""
    clean_failed: Channels = _ALL
    """It could not be applied everywhere."""
    healthy: Channels = _ALL
    """Every destination is healthy (with WHEN=every only)."""
    unhealthy: Channels = _ALL
    """A destination is not."""
    drill_passed: Channels = _ALL
    """A restore test or a verify passed (with WHEN=every only)."""
    drill_failed: Channels = _ALL
    """A backup could not be restored, or is damaged."""
    recovered: Channels = _ALL
    """What people were told of is well again."""
    missed_run: Channels = _ALL
    """The daemon did not run when something was due."""
    digest: Channels = _ALL
    """The weekly digest (with WHEN=problems only)."""
    webhook: Webhook = Webhook()
    slack: ChatWebhook = ChatWebhook()
    discord: ChatWebhook = ChatWebhook()
    apprise: Apprise = Apprise()
    ping: Ping = Ping()


class Metrics(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Figures for Prometheus."""

    directory: AbsolutePath | None = None
    """node_exporter's textfile directory, as /var/lib/prometheus/node-exporter: each operation
    writes backupd-NAME.prom there. Default: none is written."""
