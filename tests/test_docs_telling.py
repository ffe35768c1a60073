"""The pages about notifications name what the code knows, and nothing else."""

import json
import re
from datetime import UTC

from backupd.outbox import LONGEST_WAIT, SHORTEST_WAIT
from backupd.telling.accounts import account_of
from backupd.telling.language import Language
from backupd.telling.messages import Voice, compose
from backupd.telling.notices import Memory, Policy, Topic, decide
from fakes.accounts import backed_up
from pages import REFERENCE, first_names, section


def test_every_event_is_in_the_table_and_no_other() -> None:
    assert first_names(section(REFERENCE / "notifications.md", "What is told when")) == set(Topic)


def test_every_name_in_the_body_of_a_webhook_is_in_the_table_and_no_other() -> None:
    account = account_of(backed_up(down=["offsite"]))
    assert account is not None
    (notice,) = decide(account, Memory(), Policy()).notices
    voice = Voice(set_name="shop", host="web1", language=Language(code="en", zone=UTC))
    facts = json.loads(compose(notice, voice, ()).facts)
    page = REFERENCE / "webhook.md"
    assert first_names(section(page, "Body")) == set(facts)
    text = section(page, "Body")
    for name in {*facts["figures"], *facts["destinations"][0], *facts["problems"][0]}:
        assert f"`{name}`" in text


def test_every_header_of_a_webhook_is_in_the_table() -> None:
    assert first_names(section(REFERENCE / "webhook.md", "Headers")) == {
        "Content-Type",
        "X-Backupd-Event",
        "Idempotency-Key",
        "X-Backupd-Signature",
    }


def test_the_pauses_are_as_the_page_says() -> None:
    text = section(REFERENCE / "notifications.md", "The outbox")
    assert re.search(r"half a minute.*up to an hour", text, re.DOTALL)
    assert (SHORTEST_WAIT.total_seconds(), LONGEST_WAIT.total_seconds()) == (30, 3600)
