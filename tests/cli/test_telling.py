"""What the daemon tells people with: it follows the settings, and sends what was left."""

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
