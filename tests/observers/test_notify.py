"""From what happens to what people get: nights, days without a mail server, dead runs."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from backupd.errors import DumpError, Interrupted, NotifierError
from backupd.events import Event, RunsMissed
from backupd.history import History
from backupd.notifiers.worker import Round
from backupd.observers.aside import Aside
from backupd.observers.group import ObserverGroup
from backupd.observers.notify import Routes, Telling
from backupd.observers.record import Recorder
from backupd.outbox import Outbox
from backupd.telling.language import Language
from backupd.telling.messages import Voice
from backupd.telling.notices import Policy, Topic
from fakes.accounts import MOMENT, backed_up, ended, failed, started
from fakes.clock import WoundClock
from fakes.listening import raising
from fakes.notifiers import MemoryChannel

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass
class Host:
    """A host with its history and outbox, a mail channel and a ping."""

    folder: Path
    policy: Policy = field(default_factory=Policy)
    mail: MemoryChannel = field(default_factory=MemoryChannel)
    ping: MemoryChannel = field(default_factory=MemoryChannel)

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.folder / "outbox.sqlite")

    @property
    def observer(self) -> Telling:
        language = Language(code="en", zone=ZoneInfo("UTC"))
        return Telling(
            outbox=self.outbox,
            history=History(self.folder / "history.sqlite"),
            policy=self.policy,
            voice=Voice(set_name="shop", host="web1", language=language),
            routes=Routes(
                topics={topic: ["mail:a@example.org"] for topic in Topic}, pings=["ping"]
            ),
            wake=lambda: None,
        )

    def see(self, *events: Event) -> None:
        observe = ObserverGroup([Recorder(History(self.folder / "history.sqlite")), self.observer])
        for event in events:
            observe(event)

    def send(self, at: datetime) -> None:
        """Let the outbox be sent, as the daemon does."""
        notifiers = {"mail:a@example.org": self.mail, "ping": self.ping}
        for group in ("mail", "ping"):
            Round(outbox=self.outbox, group=group, notifiers=notifiers, clock=WoundClock(at)).go()

    def night(self, number: int, down: Sequence[str] = ()) -> None:
        at = MOMENT + number * DAY
        self.see(started(at))
        self.send(at)
        self.see(
            backed_up(at, down=down),
            started(at + HOUR, "clean"),
            ended(at + HOUR, "clean"),
            started(at + timedelta(hours=2), "monitor"),
            ended(at + timedelta(hours=2), "monitor"),
        )
        self.send(at + timedelta(hours=3))

    @property
    def subjects(self) -> list[str]:
        return [message.subject for message in self.mail.taken]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_month_of_good_nights_is_five_mails(host: Host) -> None:
    for night in range(30):
        host.night(night)
    assert len(host.mail.taken) == 5
    assert host.subjects[0] == "shop on web1: Backup succeeded"
    assert set(host.subjects[1:]) == {"shop on web1: 7 backups this week"}


def test_a_destination_dead_for_five_nights_is_two_mails(host: Host) -> None:
    host.night(0)
    for night in range(1, 6):
        host.night(night, down=["offsite"])
    host.night(6)
    assert host.subjects[1:] == [
        "shop on web1: Backup partial (offsite) since Sun 9 Nov 01:00",
        "shop on web1: Recovered after 5 nights (offsite)",
    ]


def test_and_one_reminder_more_if_that_is_set(tmp_path: Path) -> None:
    host = Host(tmp_path, policy=Policy(repeat=timedelta(days=4)))
    host.night(0)
    for night in range(1, 6):
        host.night(night, down=["offsite"])
    host.night(6)
    assert len(host.subjects[1:]) == 3


def test_all_that_happened_while_the_mail_server_was_dead_arrives_after_once_each(
    host: Host,
) -> None:
    host.mail.error = NotifierError("It is down.", temporary=True)
    host.night(0, down=["offsite"])
    host.night(1, down=["offsite", "local"])
    host.night(2)
    assert host.mail.taken == []
    host.mail.error = None
    for hour in range(5):
        host.send(MOMENT + 3 * DAY + timedelta(hours=hour))
    assert len(host.mail.taken) == 3
    assert len(set(host.mail.ids)) == 3


def test_pings_say_start_success_and_failure(host: Host) -> None:
    host.night(0)
    host.night(1, down=["offsite"])
    events = [message.event for message in host.ping.taken]
    assert events == ["ping_start", "ping_success", "ping_start", "ping_fail"]
    assert "refused" in host.ping.taken[-1].text
    runs = [message.run_id for message in host.ping.taken]
    assert runs[0] == runs[1] != runs[2] == runs[3]


def test_a_start_that_could_not_be_pinged_in_time_is_not_pinged_late(host: Host) -> None:
    host.ping.error = NotifierError("It is down.", temporary=True)
    host.night(0)
    host.ping.error = None
    host.send(MOMENT + timedelta(hours=12))
    assert [message.event for message in host.ping.taken] == ["ping_success"]


def test_a_run_that_was_killed_is_told_when_the_next_one_starts(host: Host) -> None:
    host.see(started(MOMENT), started(MOMENT + DAY))
    host.send(MOMENT + DAY + HOUR)
    (mail,) = host.mail.taken
    assert mail.event == "backup_failed"
    assert "cut off" in mail.text
    host.see(backed_up(MOMENT + DAY))
    host.send(MOMENT + DAY + HOUR)
    assert [message.event for message in host.mail.taken] == ["backup_failed", "recovered"]


def test_an_end_that_was_noted_but_not_told_is_told_as_it_was(host: Host) -> None:
    note = Recorder(History(host.folder / "history.sqlite"))
    host.see(started(MOMENT))
    note(failed(DumpError("The dump failed.")))
    host.see(started(MOMENT + DAY))
    note(backed_up(MOMENT + DAY))
    host.see(started(MOMENT + 2 * DAY))
    host.send(MOMENT + 2 * DAY + HOUR)
    assert [message.event for message in host.mail.taken] == ["backup_failed", "recovered"]
    assert "The dump failed." in host.mail.taken[0].text
    assert "cut off" not in host.mail.taken[0].text


def test_a_run_that_somebody_stopped_is_told_to_nobody(host: Host) -> None:
    host.see(started(), failed(Interrupted("It was asked to stop.")), started(MOMENT + DAY))
    host.send(MOMENT + DAY)
    assert host.mail.taken == []


def test_the_same_event_seen_twice_is_told_once(host: Host) -> None:
    event = failed(DumpError("The dump failed."))
    host.see(started(), event, event)
    host.send(MOMENT + HOUR)
    assert len(host.mail.taken) == 1


def test_a_memory_that_cannot_be_read_is_begun_anew(host: Host) -> None:
    with host.outbox.writing() as draft:
        draft.remember("telling", '{"problems": 7}')
    with capture_logs() as lines:
        host.see(started(), backed_up())
    assert "begun anew" in lines[0]["event"]
    host.send(MOMENT + HOUR)
    assert host.subjects == ["shop on web1: Backup succeeded"]


def test_a_history_that_cannot_be_read_does_not_keep_people_from_being_told(host: Host) -> None:
    (host.folder / "history.sqlite").write_text("this is no history, " * 100)
    host.observer(failed(DumpError("The dump failed.")))
    host.send(MOMENT + HOUR)
    assert len(host.mail.taken) == 1


def test_an_observer_aside_sees_all_in_order(host: Host) -> None:
    seen: list[Event] = []
    aside = Aside(seen.append)
    events: list[Event] = [started(), backed_up(), started(MOMENT, "clean"), ended()]
    for event in events:
        aside(event)
    assert aside.close(10)
    assert seen == events


def test_an_observer_aside_that_raises_goes_on() -> None:
    seen: list[Event] = []

    def often(event: Event) -> None:
        seen.append(event)
        raising(event)

    aside = Aside(often)
    with capture_logs() as lines:
        aside(started())
        aside(backed_up())
        assert aside.close(10)
    assert len(seen) == 2
    assert len(lines) == 2


def test_an_observer_that_hangs_delays_nobody() -> None:
    never = threading.Event()

    def hanging(event: Event) -> None:
        never.wait(60)

    aside = Aside(hanging)
    for _ in range(100):
        aside(started())
    assert not aside.close(0.2)
    never.set()


def test_missed_runs_are_told(tmp_path: Path) -> None:
    host = Host(tmp_path)
    first, last = MOMENT, MOMENT + 2 * DAY
    host.see(
        RunsMissed(
            operation="backup", set_name="shop", first=first, last=last, count=3, at=last + HOUR
        )
    )
    host.send(last + HOUR)
    [message] = host.mail.taken
    assert "was not run" in message.text
