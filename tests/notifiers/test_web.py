"""Webhook, chat and pings, to a real HTTP server."""

import hashlib
import hmac
import json
import uuid

import pytest

from backupd.errors import NotifierError
from backupd.notifiers.chat import Discord, Slack
from backupd.notifiers.ping import Ping
from backupd.notifiers.webhook import Webhook
from backupd.ports import Notifier
from fakes.accounts import message
from fakes.http_receiver import Receiver
from fakes.mail_server import free_port

SECRET_PATH = "/hook/T0KEN"


def test_a_webhook_posts_the_facts_and_signs_them() -> None:
    with Receiver() as receiver:
        Webhook(url=receiver.url + SECRET_PATH, secret="geheim").send(message())
    (request,) = receiver.requests
    assert (request.method, request.path, request.body) == ("POST", SECRET_PATH, b'{"schema": 1}')
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-backupd-event"] == "backup_failed"
    assert request.headers["idempotency-key"] == message().id
    expected = hmac.new(b"geheim", request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-backupd-signature"] == f"sha256={expected}"


def test_a_webhook_without_a_secret_is_not_signed() -> None:
    with Receiver() as receiver:
        Webhook(url=receiver.url).send(message())
    assert "x-backupd-signature" not in receiver.requests[0].headers


@pytest.mark.parametrize(
    ("status", "temporary"),
    [(400, False), (404, False), (410, False), (408, True), (429, True), (500, True), (503, True)],
)
def test_a_status_that_is_no_success_is_an_error(status: int, temporary: bool) -> None:  # noqa: FBT001
    with (
        Receiver(status=status) as receiver,
        pytest.raises(NotifierError, match=f"answered {status}") as caught,
    ):
        Webhook(url=receiver.url + SECRET_PATH).send(message())
    assert caught.value.temporary is temporary
    assert "T0KEN" not in f"{caught.value} {caught.value.hint}"


def test_a_redirect_is_not_followed_but_told() -> None:
    with Receiver() as other, Receiver(status=302, location=other.url) as receiver:
        with pytest.raises(NotifierError, match="302"):
            Webhook(url=receiver.url).send(message())
        assert other.requests == []


def test_a_host_that_is_not_there_is_a_temporary_trouble() -> None:
    with pytest.raises(NotifierError, match="Connection refused") as caught:
        Webhook(url=f"http://127.0.0.1:{free_port()}{SECRET_PATH}").send(message())
    assert caught.value.temporary
    assert "T0KEN" not in str(caught.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "http://[::1", "no-address"])
def test_what_is_no_web_address_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(NotifierError) as caught:
        Webhook(url=url).send(message())
    assert url not in str(caught.value)


def test_slack_gets_a_coloured_block_with_its_markup_escaped() -> None:
    with Receiver() as receiver:
        Slack(webhook_url=receiver.url).send(message(subject="a <b> & c", text="x" * 5000))
    body = json.loads(receiver.requests[0].body)
    assert body["text"] == "a &lt;b&gt; &amp; c"
    (attachment,) = body["attachments"]
    assert attachment["color"] == "#cf3c3c"
    assert len(attachment["blocks"][0]["text"]["text"]) <= 3000


def test_discord_gets_an_embed_that_calls_nobody() -> None:
    with Receiver(status=204) as receiver:
        Discord(webhook_url=receiver.url).send(message(good=True, text="@everyone ```x``` " * 900))
    body = json.loads(receiver.requests[0].body)
    assert body["allowed_mentions"] == {"parse": []}
    (embed,) = body["embeds"]
    assert embed["color"] == 0x2F8F5B
    assert len(embed["description"]) <= 4096
    assert embed["description"].count("```") == 2


def test_pings_go_where_healthchecks_expects_them_with_the_same_run_id() -> None:
    with Receiver() as receiver:
        ping = Ping(url=receiver.url + "/uuid/")
        for event in ("ping_start", "ping_fail", "ping_success"):
            ping.send(message(event=event))
    paths = [request.path.partition("?") for request in receiver.requests]
    assert [path for path, _, _ in paths] == ["/uuid/start", "/uuid/fail", "/uuid"]
    runs = {query.removeprefix("rid=") for _, _, query in paths}
    assert len(runs) == 1
    assert uuid.UUID(runs.pop()).version == 5
    assert receiver.requests[1].body == message().text.encode()


def test_no_notifier_shows_its_address() -> None:
    url = "https://hooks.example.org/T0KEN"
    notifiers: list[Notifier] = [
        Webhook(url=url, secret="geheim"),
        Slack(webhook_url=url),
        Discord(webhook_url=url),
        Ping(url=url),
    ]
    assert "T0KEN" not in repr(notifiers)
    assert "geheim" not in repr(notifiers)
