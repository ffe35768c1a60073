"""Any service of Apprise, which `backupd[apprise]` installs."""

import logging
from dataclasses import dataclass, field

from backupd.errors import NotifierError
from backupd.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Apprise:
    """Sends to one of Apprise's addresses (appriseit.com/services)."""

    url: str = field(repr=False)

    def send(self, message: Message) -> None:
        """Hand the message to Apprise; why it failed, it says in its log only."""
        try:
            import apprise  # noqa: PLC0415  (an extra, and 50 MB)
        except ImportError as error:
            raise NotifierError(
                "Apprise is not installed.", hint="pip install 'backupd[apprise]'", temporary=True
            ) from error
        service = self.url.partition(":")[0]
        sender = apprise.Apprise()
        kind = apprise.NotifyType.SUCCESS if message.good else apprise.NotifyType.FAILURE
        with apprise.LogCapture(  # type: ignore[no-untyped-call]
            level=logging.WARNING, fmt="%(message)s"
        ) as said:
            known = sender.add(self.url)
            sent = known and sender.notify(
                title=message.subject, body=message.text, notify_type=kind
            )
            why = " ".join(said.getvalue().split())
        if not known:
            raise NotifierError(
                f"Apprise does not understand the {service} address.",
                hint="Check BACKUP_NOTIFY__APPRISE__URLS.",
                temporary=True,
            )
        if not sent:
            raise NotifierError(
                f"Apprise could not send by {service}: {why or 'it does not say why'}",
                hint="Check that address in BACKUP_NOTIFY__APPRISE__URLS.",
                temporary=True,
            )
