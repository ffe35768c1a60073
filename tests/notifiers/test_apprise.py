"""Apprise, by its own JSON service, to a real HTTP server."""

import json

import pytest

from backupd.errors import NotifierError
from backupd.notifiers.apprise import Apprise
from fakes.accounts import message
from fakes.http_receiver import Receiver

pytest.importorskip("apprise", reason="an extra: backupd[apprise]")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its 170 services


def test_apprise_brings_subject_and_text() -> None:
    with Receiver() as receiver:
        Apprise(url=receiver.url.replace("http", "json")).send(message())
    (request,) = receiver.requests
    body = json.loads(request.body)
    assert body["title"] == message().subject
    assert body["message"].strip() == message().text.strip()
    assert body["type"] == "failure"


def test_a_service_that_refuses_is_an_error_with_the_reason_and_without_the_address() -> None:
    with Receiver(status=403) as receiver:
        url = receiver.url.replace("http://", "json://user:geheim-geheim@")
        with pytest.raises(NotifierError, match="error=403") as caught:
            Apprise(url=url).send(message())
    assert "geheim-geheim" not in f"{caught.value} {caught.value.hint} {Apprise(url=url)!r}"


def test_an_address_that_apprise_does_not_know_is_an_error() -> None:
    with pytest.raises(NotifierError, match="does not understand"):
        Apprise(url="fax://geheim").send(message())
