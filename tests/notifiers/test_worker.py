"""The worker: what is due is sent in order, a dead channel is left alone, hangs hold up nobody."""

import fcntl
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from backupd.errors import NotifierError
from backupd.notifiers.worker import OutboxWorker, Round
from backupd.outbox import Envelope, Outbox
from backupd.ports import Notifier
from fakes.accounts import MOMENT, message
from fakes.clock import WoundClock
from fakes.notifiers import HangingChannel, MemoryChannel

DOWN = NotifierError("It is down.", temporary=True)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox.sqlite")


@dataclass(frozen=True)
class SlowOutbox(Outbox):
    """Takes its time to note that a message was sent."""

    noting: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def end(self, envelope: Envelope, at: datetime, error: str = "") -> None:
        self.noting.set()
        self.released.wait(10)
        super().end(envelope, at, error)


def put(outbox: Outbox, *ids: str, channel: str = "webhook") -> None:
    expires_at = MOMENT + timedelta(days=7)
    with outbox.writing() as draft:
        draft.put(
            [
                Envelope(channel=channel, message=message(id=each), expires_at=expires_at)
                for each in ids
            ],
            MOMENT,
        )


def round_of(outbox: Outbox, channel: Notifier, clock: WoundClock) -> Round:
    return Round(outbox=outbox, group="webhook", notifiers={"webhook": channel}, clock=clock)


def test_messages_are_sent_in_order_and_once(outbox: Outbox) -> None:
    channel, clock = MemoryChannel(), WoundClock(MOMENT)
    put(outbox, "a", "b", "c")
    for _ in range(3):
        round_of(outbox, channel, clock).go()
    assert channel.ids == ["a", "b", "c"]
    assert outbox.waiting() == []


def test_a_day_without_the_other_side_loses_nothing_and_asks_seldom(outbox: Outbox) -> None:
    channel, clock = MemoryChannel(), WoundClock(MOMENT)
    channel.error = DOWN
    put(outbox, "a", "b", "c")
    for _ in range(24 * 12):
        round_of(outbox, channel, clock).go()
        clock.wind(minutes=5)
    assert channel.attempts < 40
    channel.error = None
    clock.wind(hours=1)
    round_of(outbox, channel, clock).go()
    assert channel.ids == ["a", "b", "c"]


def test_a_refused_message_lets_others_pass_and_is_given_up_in_the_end(outbox: Outbox) -> None:
    channel, clock = MemoryChannel(), WoundClock(MOMENT)
    channel.refused = "b"
    put(outbox, "a", "b", "c")
    with capture_logs() as lines:
        for _ in range(8 * 24):
            round_of(outbox, channel, clock).go()
            clock.wind(hours=1)
    assert channel.ids == ["a", "c"]
    assert outbox.waiting() == []
    given_up = [line for line in lines if line["event"] == "a message was given up"]
    assert [line["error"] for line in given_up] == ["This message is refused."]


def test_a_bug_in_one_notifier_does_not_stop_the_rest(outbox: Outbox) -> None:
    channel, clock = MemoryChannel(), WoundClock(MOMENT)
    channel.error = KeyError("bug")
    put(outbox, "a")
    with capture_logs() as lines:
        round_of(outbox, channel, clock).go()
    assert lines[0]["event"] == "a bug in a notifier"
    assert len(outbox.waiting()) == 1


def test_what_waits_for_a_channel_that_is_not_set_any_more_is_dropped(outbox: Outbox) -> None:
    put(outbox, "a", channel="webhook:old")
    round_of(outbox, MemoryChannel(), WoundClock(MOMENT)).go()
    assert outbox.waiting() == []


def test_while_another_process_sends_this_one_does_not(outbox: Outbox) -> None:
    channel = MemoryChannel()
    put(outbox, "a")
    with Path(f"{outbox.path}.webhook.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        round_of(outbox, channel, WoundClock(MOMENT)).go()
        assert channel.ids == []
    round_of(outbox, channel, WoundClock(MOMENT)).go()
    assert channel.ids == ["a"]


def test_a_worker_sends_what_comes_in_until_it_is_stopped(outbox: Outbox) -> None:
    channel = MemoryChannel()
    put(outbox, "a")
    worker = OutboxWorker(outbox, {"webhook": channel}, WoundClock(MOMENT))
    worker.start()
    put(outbox, "b")
    worker.wake()
    put(outbox, "c")
    assert worker.stop(10)
    assert channel.ids == ["a", "b", "c"]


def test_a_channel_that_hangs_holds_up_neither_the_others_nor_the_end(outbox: Outbox) -> None:
    hanging, channel = HangingChannel(), MemoryChannel()
    put(outbox, "a", channel="mail:a@example.org")
    put(outbox, "a")
    notifiers: dict[str, Notifier] = {"mail:a@example.org": hanging, "webhook": channel}
    worker = OutboxWorker(outbox, notifiers, WoundClock(MOMENT))
    worker.start()
    assert hanging.entered.wait(10)
    assert not worker.stop(0.3)
    assert channel.ids == ["a"]
    hanging.released.set()
    for thread in threading.enumerate():
        if thread.name == "outbox-mail":
            thread.join(10)


def test_what_the_other_side_took_is_noted_before_the_end_also_on_a_busy_disk(
    outbox: Outbox,
) -> None:
    """Otherwise the next worker would send it again."""
    put(outbox, "a")
    channel, slow = MemoryChannel(), SlowOutbox(outbox.path)
    worker = OutboxWorker(slow, {"webhook": channel}, WoundClock(MOMENT))
    worker.start()
    assert slow.noting.wait(10)
    threading.Timer(0.3, slow.released.set).start()
    worker.stop(0)
    assert channel.ids == ["a"]
    assert outbox.waiting() == []
