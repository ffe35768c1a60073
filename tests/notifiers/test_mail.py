"""Mail, to a real SMTP server."""

import os
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme

from backupd.errors import NotifierError
from backupd.notifiers.mail import Mail, MailServer, as_mail
from fakes.accounts import message
from fakes.mail_server import Mailbox, MailHouse, free_port

TO = "admin@example.org"


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[trustme.CA]:
    """A certificate authority that this process trusts while the test lasts."""
    authority = trustme.CA()
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(path)
    yield authority
    os.environ.pop("SSL_CERT_FILE")
    if before is not None:
        os.environ["SSL_CERT_FILE"] = before


def context_of(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def mail_to(house: MailHouse, **changes: object) -> Mail:
    fields = {
        "host": "localhost",
        "port": house.port,
        "tls": "none",
        "own_name": "web1",
        "timeout": 5.0,
    }
    server = MailServer(**(fields | changes))  # type: ignore[arg-type]
    return Mail(
        server=server, sender="backupd@web1", recipient=TO, recipients=(TO, "b@example.org")
    )


def test_a_mail_arrives_with_text_html_and_picture() -> None:
    with MailHouse(Mailbox()) as house:
        mail_to(house).send(message())
    (mail,) = house.mailbox.mails
    assert house.mailbox.recipients == [[TO]]
    assert mail["Subject"] == "shop on web1: Backup failed — été"
    assert mail["From"] == "backupd shop <backupd@web1>"
    assert mail["To"] == f"{TO}, b@example.org"
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert text.get_content().split("\r\n") == ["There is no new backup.", ""]
    assert html.get_content().strip() == "<p>There is no new backup.</p>"
    (picture,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert picture["Content-ID"] == "<picture>"


def test_every_attempt_has_the_same_message_id() -> None:
    first = as_mail(message(), "backupd@web1.example.org", [TO])
    second = as_mail(message(), "backupd@web1.example.org", [TO])
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Message-ID"].endswith("@web1.example.org>")


def test_starttls_with_a_certificate_that_is_trusted(authority: trustme.CA) -> None:
    with MailHouse(Mailbox(), context=context_of(authority), password="geheim") as house:
        mail_to(house, tls="starttls", username="shop", password="geheim").send(message())
    assert len(house.mailbox.mails) == 1


def test_tls_from_the_first_byte(authority: trustme.CA) -> None:
    with MailHouse(Mailbox(), context=context_of(authority), implicit_tls=True) as house:
        mail_to(house, tls="tls").send(message())
    assert len(house.mailbox.mails) == 1


@pytest.mark.parametrize(("tls", "implicit"), [("starttls", False), ("tls", True)])
def test_a_certificate_for_another_name_is_refused(
    authority: trustme.CA,
    tls: str,
    implicit: bool,  # noqa: FBT001
) -> None:
    context = context_of(authority, "mail.example.net")
    with MailHouse(Mailbox(), context=context, implicit_tls=implicit) as house:
        with pytest.raises(NotifierError, match="cannot be trusted") as caught:
            mail_to(house, tls=tls).send(message())
        assert house.mailbox.mails == []
    assert "BACKUP_MAIL__HOST" in caught.value.hint


def test_a_certificate_of_an_unknown_authority_is_refused() -> None:
    with (
        MailHouse(Mailbox(), context=context_of(trustme.CA())) as house,
        pytest.raises(NotifierError, match="cannot be trusted"),
    ):
        mail_to(house, tls="starttls").send(message())


def test_a_server_without_starttls_gets_neither_password_nor_mail() -> None:
    with MailHouse(Mailbox()) as house, pytest.raises(NotifierError, match="STARTTLS"):
        mail_to(house, tls="starttls", username="shop", password="geheim").send(message())
    assert house.mailbox.mails == []


def test_a_wrong_password_is_said_to_be_one_and_is_not_shown(authority: trustme.CA) -> None:
    with (
        MailHouse(Mailbox(), context=context_of(authority), password="geheim") as house,
    ):
        mail = mail_to(house, tls="starttls", username="shop", password="falsch-falsch")
        with pytest.raises(NotifierError, match="refused the login: 535") as caught:
            mail.send(message())
    assert caught.value.temporary
    assert "falsch-falsch" not in f"{caught.value} {caught.value.hint} {mail!r}"


def test_a_refused_recipient_concerns_this_message_only() -> None:
    with (
        MailHouse(Mailbox(refused=TO)) as house,
        pytest.raises(
            NotifierError, match=r"refused the recipient admin@example\.org: 550"
        ) as caught,
    ):
        mail_to(house).send(message())
    assert not caught.value.temporary


def test_a_greylisted_recipient_is_tried_again() -> None:
    with MailHouse(Mailbox(fault="grey")) as house, pytest.raises(NotifierError) as caught:
        mail_to(house).send(message())
    assert caught.value.temporary


def test_a_refused_mail_concerns_this_message_only() -> None:
    with (
        MailHouse(Mailbox(fault="refuse mail")) as house,
        pytest.raises(NotifierError, match=r"554 5\.7\.1 we do not like this mail") as caught,
    ):
        mail_to(house).send(message())
    assert not caught.value.temporary


def test_a_server_that_dies_in_the_middle_of_a_mail() -> None:
    with (
        MailHouse(Mailbox(fault="die in DATA")) as house,
        pytest.raises(NotifierError, match="did not take the mail") as caught,
    ):
        mail_to(house).send(message())
    assert caught.value.temporary


def test_a_server_that_does_not_answer_is_left_in_time() -> None:
    with (
        MailHouse(Mailbox(fault="hang")) as house,
        pytest.raises(NotifierError, match="timed out") as caught,
    ):
        mail_to(house, timeout=0.2).send(message())
    assert caught.value.temporary


def test_a_server_that_is_not_there() -> None:
    house = MailHouse(Mailbox(), port=free_port())
    with pytest.raises(NotifierError, match="Connection refused") as caught:
        mail_to(house).send(message())
    assert caught.value.temporary
