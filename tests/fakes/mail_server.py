"""A real SMTP server on loopback, whose behaviour tests choose."""

import asyncio
import email
import email.policy
import socket
import ssl
import threading
from dataclasses import dataclass, field
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Literal, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from fakes.overheard import overhear

Fault = Literal["", "refuse mail", "grey", "refuse recipient", "die in DATA", "hang", "die after"]


@dataclass(slots=True)
class Mailbox:
    """What came in, and what goes wrong from now on."""

    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    attempts: int = 0
    fault: Fault = ""
    refused: str = ""
    """A recipient that is refused for good."""
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def letters(self) -> list[EmailMessage]:
        """The mails as their readers see them: one that was taken twice, under one id, is one."""
        pairs = zip(self.mails, self.recipients, strict=True)
        return list({(mail["Message-ID"], *people): mail for mail, people in pairs}.values())

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]

    async def handle_RCPT(  # noqa: N802  (aiosmtpd gives the name)
        self,
        server: SMTP,
        session: Any,  # noqa: ANN401
        envelope: Any,  # noqa: ANN401
        address: str,
        options: list[str],
    ) -> str:
        if address == self.refused:
            return "550 5.1.1 no such user here"
        if self.fault == "grey":
            return "451 4.7.1 greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: ANN401, N802
        self.attempts += 1
        if self.fault == "refuse mail":
            return "554 5.7.1 we do not like this mail"
        if self.fault == "hang":
            await asyncio.get_running_loop().run_in_executor(None, self.released.wait)
            _drop(server)
            return "451 too late"
        if self.fault == "die in DATA":
            _drop(server)
            return "451 dead"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(mail)
        overhear("mail headers", str(mail.items()))
        for part in mail.walk():
            if part.get_content_maintype() == "text":
                overhear("mail", str(part.get_content()))
        self.recipients.append(envelope.rcpt_tos)
        if self.fault == "die after":
            _drop(server)
        return "250 taken"


def _drop(server: SMTP) -> None:
    """Cut the connection, without a word."""
    assert isinstance(server.transport, asyncio.WriteTransport)
    server.transport.abort()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class MailHouse:
    """A server that can be shut and opened again on the same port."""

    mailbox: Mailbox
    context: ssl.SSLContext | None = None
    password: str | None = None
    implicit_tls: bool = False
    port: int = 0
    _controller: Controller | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.mailbox.released.set()
        self.shut()

    def open(self) -> None:
        more: dict[str, Any] = {"ssl_context": self.context} if self.implicit_tls else {}
        if self.context is not None and not self.implicit_tls:
            more |= {"tls_context": self.context, "require_starttls": True}
        if self.password is not None:
            more |= {
                "auth_required": True,
                "auth_require_tls": self.context is not None and not self.implicit_tls,
                "authenticator": self._authenticate,
            }
        port = self.port or free_port()
        self._controller = Controller(self.mailbox, hostname="127.0.0.1", port=port, **more)
        self._controller.start()
        self.port = port

    def shut(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def _authenticate(
        self,
        server: SMTP,
        session: Any,  # noqa: ANN401
        envelope: Any,  # noqa: ANN401
        mechanism: str,
        data: LoginPassword,
    ) -> AuthResult:
        good = data.password.decode() == self.password
        return AuthResult(success=good, handled=good)
