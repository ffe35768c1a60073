"""People are told of what commands do, and no command waits for a mail server."""

import json
import sqlite3
from email.message import EmailMessage
from pathlib import Path

from backupd.outbox import Outbox
from conftest import Program
from fakes.http_receiver import Receiver
from fakes.mail_server import Mailbox, MailHouse, free_port
from fakes.overheard import MARK


def outbox_of(program: Program) -> Outbox:
    return Outbox(program.state / "shop" / "outbox.sqlite")


def mails_to(program: Program, port: int, **more: str) -> None:
    settings = {
        "MAIL_TO": "admin@example.org,boss@example.org",
        "MAIL__HOST": "127.0.0.1",
        "MAIL__PORT": str(port),
        "MAIL__FROM": "backupd@example.org",
    }
    program.set(**(settings | more))


def body(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def test_the_first_backup_is_told_by_mail_to_everybody_and_the_next_is_not(
    program: Program,
) -> None:
    with MailHouse(Mailbox()) as house:
        mails_to(program, house.port)
        assert program("run").code == 0
        assert program("run").code == 0
        program.send_the_rest()
    assert sorted(house.mailbox.recipients) == [["admin@example.org"], ["boss@example.org"]]
    first, second = house.mailbox.letters
    assert first["Message-ID"] == second["Message-ID"]
    assert "Backup succeeded" in first["Subject"]
    assert "here: good" in body(first)


def test_every_backup_is_told_in_french_if_that_is_set(program: Program) -> None:
    with MailHouse(Mailbox()) as house:
        mails_to(program, house.port, LANGUAGE="fr", NOTIFY__WHEN="every")
        program("run")
        program("run")
        program.send_the_rest()
    assert len(house.mailbox.letters) == 4
    assert "Sauvegarde réussie" in house.mailbox.subjects[0]


def test_a_failed_backup_is_told_with_its_hint_and_without_a_trace(program: Program) -> None:
    with MailHouse(Mailbox()) as house:
        mails_to(program, house.port, SOURCE__INCLUDE="not-there")
        assert program("run").code == 1
        program.send_the_rest()
    mail = house.mailbox.letters[0]
    assert "Backup failed since" in mail["Subject"]
    assert "not-there" in body(mail)
    assert "->" in body(mail)
    assert "Traceback" not in mail.as_string()


def test_a_mail_in_french_says_what_is_wrong_and_what_to_do_in_french(program: Program) -> None:
    """A backup that fails, and a monitor that finds the copy of before cut short."""
    with MailHouse(Mailbox()) as house:
        mails_to(program, house.port, LANGUAGE="fr", MAIL_TO="admin@example.org")
        assert program("run").code == 0
        for archive in program.backups.glob("*.zip"):
            archive.write_bytes(b"cut")
        assert program("monitor").code == 1
        program.set(SOURCE__INCLUDE="not-there")
        assert program("run").code == 1
        program.send_the_rest()
    _, unhealthy, failed = house.mailbox.letters
    assert "Sauvegardes en mauvais état" in unhealthy["Subject"]
    assert "Impossible à relire en entier : 1 sauvegarde (shop-" in body(unhealthy)
    assert "-> Faites-en une nouvelle ('backupd run --full')" in body(unhealthy)
    assert "not-there est à sauvegarder, mais" in body(failed)
    assert "-> Corrigez BACKUP_SOURCE__INCLUDE, ou créez ce qu'il nomme." in body(failed)
    assert "En anglais" not in body(unhealthy) + body(failed)


def test_nobody_is_told_if_that_is_asked_for(program: Program) -> None:
    with MailHouse(Mailbox()) as house:
        mails_to(program, house.port)
        assert program("run", "--disable-notifications").code == 0
    assert house.mailbox.mails == []
    assert not outbox_of(program).path.exists()


def test_without_a_channel_nothing_waits_to_be_sent(program: Program) -> None:
    assert program("run").code == 0
    assert not outbox_of(program).waiting()


def test_a_dead_mail_server_fails_no_backup_and_gets_the_mail_when_it_is_back(
    program: Program,
) -> None:
    house = MailHouse(Mailbox(), port=free_port())
    mails_to(program, house.port)
    done = program("run")
    assert done.code == 0
    assert [each.message.event for each in outbox_of(program).waiting()] == ["backup_succeeded"] * 2
    with sqlite3.connect(outbox_of(program).path) as database:
        database.execute("DELETE FROM channels")  # as if an hour had passed
    database.close()
    with house:
        assert program("run").code == 0
        program.send_the_rest()
    assert len(house.mailbox.letters) == 2
    assert outbox_of(program).waiting() == []


def test_a_mail_server_that_hangs_is_not_waited_for(program: Program) -> None:
    """It would be given half a minute for each answer; nothing had timed out when the run ended."""
    with MailHouse(Mailbox(fault="hang")) as house:
        mails_to(program, house.port)
        assert program("run").code == 0
        assert [each.tries for each in outbox_of(program).waiting()] == [0, 0]


def test_an_outbox_that_cannot_be_used_fails_no_backup(program: Program) -> None:
    path = outbox_of(program).path
    path.mkdir(parents=True)
    mails_to(program, free_port())
    done = program("run", "--verbose")
    assert done.code == 0
    assert "outbox.sqlite cannot be used" in done.err


def test_pings_and_webhook_are_called_at_the_end_of_a_run(program: Program) -> None:
    with Receiver() as receiver:
        program.set(
            NOTIFY__PING__URL=f"{receiver.url}/{MARK}/ping",
            NOTIFY__WEBHOOK__URL=f"{receiver.url}/{MARK}/hook",
        )
        assert program("run").code == 0
        program.send_the_rest()
    hook_path, ping_path = f"/{MARK}/hook", f"/{MARK}/ping"
    paths = [request.path.partition("?")[0] for request in receiver.requests]
    assert [path for path in paths if path != hook_path] == [f"{ping_path}/start", ping_path]
    (hook,) = [request for request in receiver.requests if request.path == hook_path]
    assert json.loads(hook.body)["event"] == "backup_succeeded"
    assert "x-backupd-signature" in hook.headers


def test_a_test_message_goes_to_every_channel_or_to_one(program: Program) -> None:
    with MailHouse(Mailbox()) as house, Receiver() as receiver:
        mails_to(program, house.port)
        program.set(NOTIFY__SLACK__WEBHOOK_URL=f"{receiver.url}/{MARK}")
        everywhere = program("notify", "test")
        assert everywhere.code == 0
        assert everywhere.out.splitlines() == [
            "mail:admin@example.org: sent",
            "mail:boss@example.org: sent",
            "slack: sent",
        ]
        assert program("notify", "test", "slack").out == "slack: sent\n"
    assert len(house.mailbox.mails) == 2
    assert len(receiver.requests) == 2


def test_a_test_message_that_fails_says_why_and_shows_no_secret(program: Program) -> None:
    mails_to(program, free_port())
    program.set(NOTIFY__SLACK__WEBHOOK_URL=f"http://127.0.0.1:{free_port()}/{MARK}/")
    done = program("notify", "test", "--json")
    assert done.code == 1
    assert all("Connection refused" in each["error"] for each in json.loads(done.out))


def test_a_test_message_without_a_channel_says_what_to_set(program: Program) -> None:
    done = program("notify", "test")
    assert done.code == 2
    assert "BACKUP_MAIL_TO" in done.err
    assert "There is no channel 'fax'" in program("notify", "test", "fax").err


def test_settings_of_channels_are_checked(program: Program, tmp_path: Path) -> None:
    program.set(
        MAIL_TO="no-address",
        NOTIFY__HEALTHY="fax",
        NOTIFY__WEBHOOK__URL=f"ftp://example.org/{MARK}",
        NOTIFY__WHEN="never",
    )
    done = program("config", "check")
    assert done.code == 78
    assert done.err.count("is not allowed. Allowed:") == 4


def test_an_event_can_be_told_to_nobody(program: Program) -> None:
    with MailHouse(Mailbox()) as house:
        mails_to(program, house.port, NOTIFY__BACKUP_SUCCEEDED="none")
        assert program("run").code == 0
    assert house.mailbox.mails == []


def test_a_destination_that_dies_is_told_once_by_backup_clean_and_monitor_together(
    program: Program,
) -> None:
    there, gone = program.folder / "there", program.folder / "gone"
    program.set(DESTINATIONS__THERE__TYPE="local", DESTINATIONS__THERE__PATH=str(there))
    with MailHouse(Mailbox()) as house:
        mails_to(program, house.port, MAIL_TO="admin@example.org")
        assert program("run").code == 0
        there.rename(gone)
        there.write_text("a file where the directory was")
        assert program("run").code == 3
        assert program("clean").code in {1, 3}
        assert program("monitor").code == 1
        there.unlink()
        gone.rename(there)
        assert program("run").code == 0
        assert program("clean").code == 0
        assert program("monitor").code in {0, 1}
        program.send_the_rest()
    events = [str(mail["X-Backupd-Event"]) for mail in house.mailbox.letters]
    assert events[:3] == ["backup_succeeded", "backup_partial", "recovered"]


def test_monitor_tells_what_it_finds_and_status_shows_what_it_saw(program: Program) -> None:
    with MailHouse(Mailbox()) as house:
        mails_to(program, house.port, MAIL_TO="admin@example.org")
        assert program("monitor").code == 1
        program.send_the_rest()
    (mail,) = house.mailbox.letters
    assert "Backups unhealthy (here) since" in mail["Subject"]
    assert "no" in program("status").out
    document = json.loads(program("status", "--json").out)
    assert document["destinations"][0]["seen"]["healthy"] is False


def test_a_dry_run_of_clean_tells_nobody(program: Program) -> None:
    with MailHouse(Mailbox()) as house:
        mails_to(program, house.port, NOTIFY__WHEN="every")
        program("clean", "--dry-run")
        program("clean", "--disable-notifications")
    assert house.mailbox.mails == []
