"""A mail server that is dead for a day: real backups, on time, and every notice once, after."""

import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from backupd.daemon.scheduler import Scheduler
from backupd.wiring import App
from fakes.bench import Bench, until_idle
from fakes.mail_server import Fault, Mailbox, MailHouse, free_port

DATED = Path(__file__).parents[1] / "fakes" / "dated.py"
PEOPLE = ("admin@example.org", "boss@example.org")


class Machine:
    """A daemon and its operations, all at the moment that the bench's clock is wound to."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.app: App = bench.app()
        self.scheduler = Scheduler(
            self.app,
            lambda _: bench.heard,
            bench.environment,
            (sys.executable, str(DATED), str(bench.folder)),
        )

    def pass_until(self, moment: datetime) -> None:
        """Let half hours pass: run what is due, then send what waits, as the daemon does."""
        while self.bench.clock.now() < moment:
            self.bench.clock.wind(minutes=30)
            (self.bench.folder / "clock").write_text(self.bench.clock.now().isoformat())
            until_idle(self.scheduler)
            worker = self.app.channels.worker()
            worker.start()
            assert worker.stop(60)


def test_a_day_without_a_mail_server_delays_no_backup_and_loses_and_repeats_no_notice(
    bench: Bench,
) -> None:
    """Nobody listens in the night; from noon on it takes no mail; then it dies over each.

    It is well again when nothing is due for hours: what was written in that day, the daemon sends.
    """
    house = MailHouse(Mailbox(), port=free_port())
    bench.set(
        MAIL_TO=",".join(PEOPLE),
        MAIL__HOST="127.0.0.1",
        MAIL__PORT=str(house.port),
        NOTIFY__WHEN="every",
        SCHEDULE__BACKUP="0 1,13,23 * * *",
    )
    machine = Machine(bench)
    machine.pass_until(march(2, 12))
    with house:
        failures: dict[datetime, Fault] = {march(2, 22): "grey", march(3, 4): "die in DATA"}
        for until, house.mailbox.fault in failures.items():
            machine.pass_until(until)
        assert house.mailbox.attempts
        assert house.mailbox.mails == []
        started = ["run", "clean", "monitor", "run", "run", "run", "clean", "monitor"]
        assert bench.log == [f"{command} 0" for command in started]
        began = [run.started_at for run in machine.app.history.runs("backup")]
        assert [f"{moment:%d %H:%M}" for moment in reversed(began)] == [
            "02 01:00",
            "02 13:00",
            "02 23:00",
            "03 01:00",
        ]
        waiting = [each.message.subject for each in machine.app.channels.outbox().waiting()]
        assert len(waiting) == len(PEOPLE) * len(started)

        house.mailbox.fault = ""
        machine.pass_until(march(3, 12))
        assert sorted(house.mailbox.subjects) == sorted(waiting)
        sent = Counter(delivered(house.mailbox))
        assert len(sent) == len(waiting)
        assert machine.app.channels.outbox().waiting() == []
        machine.pass_until(march(4, 0))
    assert len(house.mailbox.mails) > len(waiting)
    assert {count for mail, count in Counter(delivered(house.mailbox)).items() if mail in sent} == {
        1
    }


def march(day: int, hour: int) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def delivered(mailbox: Mailbox) -> list[tuple[str, ...]]:
    """Give each mail that was taken: which it is, and for whom."""
    return [
        (str(mail["Message-ID"]), *people)
        for mail, people in zip(mailbox.mails, mailbox.recipients, strict=True)
    ]
