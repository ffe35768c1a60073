"""Settings → the channels that people are told over: `wiring`'s part for them."""

import socket
from collections.abc import Callable, Mapping
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from backupd.clock import SystemClock
from backupd.history import History
from backupd.ports import Clock, Notifier, Observer
from backupd.settings.schema import Settings

if TYPE_CHECKING:  # each costs time that an operation without channels need not pay
    from pydantic import SecretStr

    from backupd.notifiers.worker import OutboxWorker
    from backupd.outbox import Outbox
    from backupd.telling.messages import Voice

_LOCAL = {"localhost", "127.0.0.1", "::1"}


class Channels:
    """The channels of one backup set, its outbox, and who writes to and sends from it."""

    def __init__(
        self,
        *,
        settings: Settings,
        set_name: str,
        state: Path,
        zone: tzinfo,
        clean: Callable[[str], str],
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._set_name = set_name
        self._path = state / "outbox.sqlite"
        self._zone = zone
        self._clean = clean
        self._clock = clock or SystemClock()

    def outbox(self) -> "Outbox":
        """Give what waits to be sent."""
        from backupd.outbox import Outbox  # noqa: PLC0415

        return Outbox(self._path)

    def worker(self) -> "OutboxWorker":
        """Make the one that sends what waits in the outbox, in threads of its own."""
        from backupd.notifiers.worker import OutboxWorker  # noqa: PLC0415

        return OutboxWorker(self.outbox(), self.notifiers(), self._clock)

    def teller(self, history: History, wake: Callable[[], None] = lambda: None) -> Observer:
        """Make the observer that writes to the outbox, and remembers which problems are known."""
        from backupd.observers.notify import Routes, Telling  # noqa: PLC0415
        from backupd.telling.notices import Policy, Topic  # noqa: PLC0415

        channels, notify = list(self.notifiers()), self._settings.notify
        chosen = {topic: getattr(notify, topic, ()) for topic in Topic}
        topics = {
            topic: [each for each in channels if each.partition(":")[0] in names]
            for topic, names in chosen.items()
        }
        return Telling(
            outbox=self.outbox(),
            history=history,
            policy=Policy(
                every=notify.when == "every",
                repeat=timedelta(days=notify.repeat_days),
                heard=frozenset(topic for topic, listening in topics.items() if listening),
            ),
            voice=self.voice(),
            routes=Routes(
                topics=topics,
                pings=[each for each in channels if each == "ping"],
            ),
            wake=wake,
        )

    def voice(self) -> "Voice":
        """Say who speaks, and in which language."""
        from backupd.telling.language import Language  # noqa: PLC0415
        from backupd.telling.messages import Voice  # noqa: PLC0415

        language = Language(code=self._settings.language, zone=self._zone)
        return Voice(
            set_name=self._set_name,
            host=socket.gethostname(),
            language=language,
            clean=self._clean,
        )

    def notifiers(self) -> Mapping[str, Notifier]:
        """Make the channels that are set up, by name; each recipient of mail has one."""
        return {**self._mails(), **self._web(), **self._apprise()}

    def _mails(self) -> dict[str, Notifier]:
        from backupd.notifiers.mail import Mail, MailServer  # noqa: PLC0415

        section = self._settings.mail
        host = socket.gethostname()
        server = MailServer(
            host=section.host,
            port=section.port,
            tls=section.tls or ("none" if section.host in _LOCAL else "starttls"),
            own_name=host,
            username=section.username,
            password=_plain(section.password),
        )
        sender = section.from_ or f"backupd@{host}"
        return {
            f"mail:{to}": Mail(server=server, sender=sender, recipient=to, recipients=section.to)
            for to in section.to
        }

    def _web(self) -> dict[str, Notifier]:
        from backupd.notifiers.chat import Discord, Slack  # noqa: PLC0415
        from backupd.notifiers.ping import Ping  # noqa: PLC0415
        from backupd.notifiers.webhook import Webhook  # noqa: PLC0415

        notify = self._settings.notify
        found: dict[str, Notifier] = {}
        if (url := _plain(notify.webhook.url)) is not None:
            found["webhook"] = Webhook(url=url, secret=_plain(notify.webhook.secret))
        if (url := _plain(notify.slack.webhook_url)) is not None:
            found["slack"] = Slack(webhook_url=url)
        if (url := _plain(notify.discord.webhook_url)) is not None:
            found["discord"] = Discord(webhook_url=url)
        if (url := _plain(notify.ping.url)) is not None:
            found["ping"] = Ping(url=url)
        return found

    def _apprise(self) -> dict[str, Notifier]:
        from backupd.notifiers.apprise import Apprise  # noqa: PLC0415

        urls = [
            url.strip() for url in (_plain(self._settings.notify.apprise.urls) or "").split(",")
        ]
        return {f"apprise:{number}": Apprise(url=url) for number, url in enumerate(urls, 1) if url}


def _plain(secret: "SecretStr | None") -> str | None:
    return secret.get_secret_value() if secret is not None else None
