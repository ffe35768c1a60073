"""Messages on their way: durable, bounded, each once."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from backupd.errors import BackupdError, NotifierError
from backupd.outbox import LONGEST_WAIT, SHORTEST_WAIT, Envelope, Outbox, wait_after
from fakes.accounts import MOMENT, message

HOUR = timedelta(hours=1)
DOWN = NotifierError("It is down.", temporary=True)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "state" / "outbox.sqlite")


def put(outbox: Outbox, *ids: str, channel: str = "webhook") -> None:
    with outbox.writing() as draft:
        draft.put(
            [
                Envelope(channel=channel, message=message(id=each), expires_at=MOMENT + 24 * HOUR)
                for each in ids
            ],
            MOMENT,
        )


def ids(envelopes: list[Envelope]) -> list[str]:
    return [each.message.id for each in envelopes]


def test_an_outbox_that_nobody_wrote_to_is_empty_and_makes_no_file(outbox: Outbox) -> None:
    assert outbox.waiting() == []
    assert outbox.due("webhook", MOMENT) == []
    assert outbox.memory("x") == ""
    assert not outbox.path.exists()


def test_a_message_comes_out_as_it_was_put_in(outbox: Outbox) -> None:
    put(outbox, "a")
    (envelope,) = Outbox(outbox.path).waiting()
    assert envelope.message == message(id="a")


def test_only_its_owner_may_read_it(outbox: Outbox) -> None:
    put(outbox, "a")
    assert outbox.path.stat().st_mode & 0o777 == 0o600
    assert outbox.path.parent.stat().st_mode & 0o777 == 0o700


def test_the_same_message_is_taken_once_even_after_it_was_sent(outbox: Outbox) -> None:
    put(outbox, "a")
    put(outbox, "a", "b")
    assert ids(outbox.waiting()) == ["a", "b"]
    outbox.end(outbox.waiting()[0], MOMENT)
    put(outbox, "a")
    assert ids(outbox.waiting()) == ["b"]


def test_messages_and_memory_are_written_together_or_not_at_all(outbox: Outbox) -> None:
    with outbox.writing() as draft:
        draft.remember("x", "1")
    with pytest.raises(ZeroDivisionError), outbox.writing() as draft:  # noqa: PT012
        draft.remember("x", "2")
        draft.put([Envelope(channel="c", message=message(), expires_at=MOMENT)], MOMENT)
        raise ZeroDivisionError
    assert outbox.memory("x") == "1"
    assert outbox.waiting() == []


def test_the_oldest_make_room_when_too_many_wait(outbox: Outbox) -> None:
    put(outbox, *(f"{number}" for number in range(501)))
    put(outbox, "mail", channel="mail:a@example.org")
    waiting = ids(outbox.waiting())
    assert len(waiting) == 501
    assert "0" not in waiting
    assert waiting[-2:] == ["500", "mail"]


def test_what_was_sent_long_ago_is_forgotten(outbox: Outbox) -> None:
    put(outbox, "a")
    outbox.end(outbox.waiting()[0], MOMENT - timedelta(days=91))
    put(outbox, "b")
    with sqlite3.connect(outbox.path) as database:
        assert database.execute("SELECT id FROM messages").fetchall() == [("b",)]
    database.close()


def test_a_text_is_not_kept_after_it_was_sent(outbox: Outbox) -> None:
    put(outbox, "a")
    outbox.end(outbox.waiting()[0], MOMENT)
    assert b"There is no new backup" not in outbox.path.read_bytes()


def test_a_channel_that_is_down_waits_as_a_whole_and_in_order(outbox: Outbox) -> None:
    put(outbox, "a", "b")
    outbox.postpone(outbox.waiting()[0], MOMENT, DOWN)
    put(outbox, "c")
    assert outbox.due("webhook", MOMENT + SHORTEST_WAIT / 2) == []
    assert ids(outbox.due("webhook", MOMENT + SHORTEST_WAIT)) == ["a", "b", "c"]


def test_a_message_that_is_refused_lets_others_pass(outbox: Outbox) -> None:
    put(outbox, "a", "b")
    outbox.postpone(outbox.waiting()[0], MOMENT, NotifierError("refused"))
    assert ids(outbox.due("webhook", MOMENT)) == ["b"]
    assert ids(outbox.due("webhook", MOMENT + SHORTEST_WAIT)) == ["a", "b"]


def test_one_channel_that_is_down_does_not_hold_up_another(outbox: Outbox) -> None:
    put(outbox, "a", channel="mail:x@example.org")
    put(outbox, "a", channel="mail:y@example.org")
    outbox.postpone(outbox.waiting()[0], MOMENT, DOWN)
    assert [each.channel for each in outbox.due("mail", MOMENT)] == ["mail:y@example.org"]


def test_a_clock_that_was_put_back_does_not_hold_up_a_message(outbox: Outbox) -> None:
    put(outbox, "a")
    assert ids(outbox.due("webhook", MOMENT - timedelta(days=365))) == ["a"]


def test_pauses_grow_from_half_a_minute_to_an_hour() -> None:
    waits = [wait_after(tries) for tries in range(1, 20)]
    assert waits[:3] == [SHORTEST_WAIT, SHORTEST_WAIT * 2, SHORTEST_WAIT * 4]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT


def test_an_outbox_that_cannot_be_used_is_said_so(outbox: Outbox) -> None:
    outbox.path.mkdir(parents=True)
    with pytest.raises(BackupdError, match="cannot be used"):
        put(outbox, "a")
