"""Mail by SMTP: one transaction for each recipient, so that one who is refused stops no other."""

import base64
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

from backupd.errors import NotifierError
from backupd.message import Message

_TIMEOUT = 30.0
_PERMANENT = 500
_PORTS = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed over, and how.

    With `starttls` and `tls`, the server's certificate must be valid for `host`.
    """

    host: str
    tls: Literal["starttls", "tls", "none"]
    own_name: str
    """What this host says its name is."""
    port: int | None = None
    """None: 587 for starttls, 465 for tls, 25 for none."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = _TIMEOUT
    """Seconds to wait for each answer."""

    @contextmanager
    def session(self) -> Iterator[smtplib.SMTP]:
        """Connect, secure the connection and log in."""
        port = self.port or _PORTS[self.tls]
        connection: smtplib.SMTP
        if self.tls == "tls":
            connection = smtplib.SMTP_SSL(
                self.host,
                port,
                local_hostname=self.own_name,
                timeout=self.timeout,
                context=ssl.create_default_context(),
            )
        else:
            connection = smtplib.SMTP(
                self.host, port, local_hostname=self.own_name, timeout=self.timeout
            )
        try:
            if self.tls == "starttls":
                connection.starttls(context=ssl.create_default_context())
            if self.username is not None:
                connection.login(self.username, self.password or "")
            yield connection
            with suppress(smtplib.SMTPException, OSError):
                # The mail is taken; waiting for the other side's good-bye only makes the moment
                # longer in which a death of this program would lead to a second mail.
                connection.putcmd("QUIT")
        finally:
            connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Mail to one of the recipients; all of them stand in its To line."""

    server: MailServer
    sender: str
    recipient: str
    recipients: Sequence[str]

    def send(self, message: Message) -> None:
        """Hand the mail over to the server."""
        mail = as_mail(message, self.sender, self.recipients)
        with self._translated(), self.server.session() as connection:
            connection.send_message(mail, from_addr=self.sender, to_addrs=[self.recipient])

    @contextmanager
    def _translated(self) -> Iterator[None]:
        server = f"The mail server {self.server.host}"
        try:
            yield
        except smtplib.SMTPAuthenticationError as error:
            raise NotifierError(
                f"{server} refused the login: {_said(error.smtp_code, error.smtp_error)}.",
                hint="Check BACKUP_MAIL__USERNAME and BACKUP_MAIL__PASSWORD.",
                temporary=True,
            ) from error
        except smtplib.SMTPRecipientsRefused as error:
            code, said = error.recipients[self.recipient]
            raise NotifierError(
                f"{server} refused the recipient {self.recipient}: {_said(code, said)}.",
                hint="Check BACKUP_MAIL__TO.",
                temporary=code < _PERMANENT,
            ) from error
        except smtplib.SMTPResponseException as error:
            raise NotifierError(
                f"{server} refused the mail: {_said(error.smtp_code, error.smtp_error)}.",
                hint="Check BACKUP_MAIL__FROM, and what the server allows.",
                temporary=error.smtp_code < _PERMANENT,
            ) from error
        except ssl.SSLError as error:
            raise NotifierError(
                f"{server} cannot be trusted: {error.reason or error}.",
                hint="BACKUP_MAIL__HOST must be the name in its certificate, "
                "BACKUP_MAIL__TLS what it speaks on that port.",
                temporary=True,
            ) from error
        except (smtplib.SMTPException, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise NotifierError(
                f"{server} did not take the mail: {reason}.",
                hint="Check BACKUP_MAIL__HOST, BACKUP_MAIL__PORT and BACKUP_MAIL__TLS.",
                temporary=True,
            ) from error


def as_mail(message: Message, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """Make a mail with a text part, an HTML part and its picture (RFC 2046, RFC 2387)."""
    mail = EmailMessage()
    mail["Subject"] = message.subject
    mail["From"] = Address(f"backupd {message.set_name}", addr_spec=sender)
    mail["To"] = ", ".join(recipients)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.id}.{message.set_name}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes in reply
    mail["X-Backupd-Event"] = message.event
    mail.set_content(message.text)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
        if message.picture:
            html = mail.get_payload(1)
            assert isinstance(html, EmailMessage)  # noqa: S101  (for the type: just added)
            html.add_related(
                base64.b64decode(message.picture),
                maintype="image",
                subtype="png",
                cid="<picture>",
                disposition="inline",
                filename="sizes.png",
            )
    return mail


def _said(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(said.split())}".rstrip(".")
