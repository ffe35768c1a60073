"""The sections that say who is told of what."""

from typing import Literal

from pydantic import BaseModel, Field

from backupd.settings.kinds import Channels, Count, List, Port, Secret

_MAIL: tuple[Literal["mail"], ...] = ("mail",)


class Mail(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Mail; without TO, nobody is written to. BACKUP_MAIL_TO is another name for MAIL__TO."""

    to: List = ()
    """Who is written to."""
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
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is encrypted: starttls, tls or none."""


class Webhook(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """A generic webhook."""

    url: Secret | None = None
    """Where events are posted as JSON."""


class ChatWebhook(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """A chat's webhook."""

    webhook_url: Secret | None = None
    """The address that the chat gives out for a channel."""


class Apprise(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Any service of Apprise."""

    urls: Secret | None = None
    """Apprise's addresses, comma-separated."""


class Ping(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """A dead man's ping."""

    url: Secret | None = None
    """What is called at start, success and failure, as Healthchecks understands it."""


class Notify(BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Which channels each event goes to: mail, webhook, slack, discord, apprise, ping."""

    backup_succeeded: Channels = _MAIL
    """A backup was taken and delivered everywhere."""
    backup_failed: Channels = _MAIL
    """A backup failed, or is partial."""
    clean_succeeded: Channels = _MAIL
    """The retention policy was applied."""
    clean_failed: Channels = _MAIL
    """It could not be applied everywhere."""
    healthy: Channels = _MAIL
    """Every destination is healthy."""
    unhealthy: Channels = _MAIL
    """A destination is not."""
    repeat_days: Count = 7
    """The same problem is told again after so many days."""
    webhook: Webhook = Webhook()
    slack: ChatWebhook = ChatWebhook()
    discord: ChatWebhook = ChatWebhook()
    apprise: Apprise = Apprise()
    ping: Ping = Ping()
