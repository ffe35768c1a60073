"""What the daemon tells people with: it follows the settings, and sends what was left."""

import sqlite3
import threading
from contextlib import closing

from backupd.cli.telling import Announcer
from backupd.errors import BackupdError
from backupd.outbox import Outbox
from backupd.settings import load_settings
from backupd.wiring import App
from conftest import Program
from fakes.accounts import failed, started
from fakes.clock import WoundClock
from fakes.mail_server import Mailbox, MailHouse, free_port


def app_of(program: Program, clock: WoundClock) -> App:
    loaded = load_settings({}, program.folder / "backupd.env")
    return App(loaded, program.environment, clock)


def test_it_tells_what_the_daemon_sees_by_the_settings_that_are_in_force(program: Program) -> None:
    clock = WoundClock()
    announcer = Announcer()
    announcer.follow(app_of(program, clock))(started())
    program.set(MAIL_TO="a@example.org", MAIL__HOST="127.0.0.1", MAIL__PORT=str(free_port()))
    observe = announcer.follow(app_of(program, clock))
    observe(started())
    clock.wind(minutes=2)
    observe(failed(BackupdError("It was killed by signal 9.")))
    announcer.stop(60)
    outbox = Outbox(program.state / "shop" / "outbox.sqlite")
    assert [each.message.event for each in outbox.waiting()] == ["backup_failed"]

    clock.wind(hours=1)
    with MailHouse(Mailbox()) as house:
        program.set(MAIL__PORT=str(house.port))
        announcer.follow(app_of(program, clock))
        announcer.stop(60)
    assert len(house.mailbox.mails) == 1
    assert outbox.waiting() == []


def test_what_is_to_be_told_is_written_down_before_the_end_also_on_a_busy_disk(
    program: Program,
) -> None:
    program.set(MAIL_TO="a@example.org", MAIL__HOST="127.0.0.1", MAIL__PORT=str(free_port()))
    announcer = Announcer()
    observe = announcer.follow(app_of(program, WoundClock()))
    observe(started())
    announcer.stop(60)
    outbox = Outbox(program.state / "shop" / "outbox.sqlite")
    observe = announcer.follow(app_of(program, WoundClock()))
    with closing(sqlite3.connect(outbox.path, check_same_thread=False)) as another:
        another.execute("BEGIN IMMEDIATE")  # as slow as a disk that is busy: nobody else can write
        observe(failed(BackupdError("It was killed by signal 9.")))
        writable_again = threading.Timer(0.3, another.rollback)
        writable_again.start()
        announcer.stop(0)
        writable_again.join()
    assert [each.message.event for each in outbox.waiting()] == ["backup_failed"]
