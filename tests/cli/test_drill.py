"""A backup that went bad, from the drill that finds it to everybody who must not count on it."""

import json
import os
from email.message import EmailMessage
from pathlib import Path

import pytest

from conftest import Program, names
from fakes.mail_server import Mailbox, MailHouse

DOCUMENT = "storage/app/documents/contract.pdf"


def flip(archive: Path, content: bytes) -> None:
    """Change one byte of a member, wherever it stands in an archive that is not encrypted."""
    stored = bytearray(archive.read_bytes())
    stored[stored.index(content[1000:1100])] ^= 1
    archive.chmod(0o600)
    archive.write_bytes(stored)


@pytest.fixture
def document(program: Program) -> bytes:
    """Take two backups with a document in them."""
    content = os.urandom(50_000)
    (program.root / DOCUMENT).write_bytes(content)
    for _ in range(2):
        assert program("run", "--full").code == 0
    return content


def in_order(program: Program) -> list[str]:
    """Give the backups' names, the oldest first; the second of a second ends in `-2`."""
    return sorted(names(program.backups), key=lambda name: (len(name), name))


def rows(program: Program) -> list[str]:
    """Give the lines of the list of backups, the newest first."""
    return [line for line in program("list", "--backups").out.splitlines() if line[:2] == "20"]


def test_one_flipped_byte_fails_the_drill_and_everybody_knows(
    program: Program, document: bytes
) -> None:
    older, newer = in_order(program)
    flip(program.backups / newer, document)
    with MailHouse(Mailbox()) as house:
        program.set(
            MAIL_TO="admin@example.org",
            MAIL__HOST="127.0.0.1",
            MAIL__PORT=str(house.port),
            MAIL__FROM="backupd@example.org",
        )
        done = program("drill")
        program.send_the_rest()
    assert done.code == 1
    assert f"{newer} at here: damaged" in done.out
    assert f"  {DOCUMENT}: " in done.out

    [mail] = house.mailbox.letters
    assert "Restore drill failed (here)" in mail["Subject"]
    told = mail.get_body(("plain",))
    assert isinstance(told, EmailMessage)
    assert f"{newer} at 'here' is damaged: {DOCUMENT}: " in told.get_content()

    damaged, good = rows(program)
    assert " BAD " in damaged
    assert good.endswith(" newest")
    monitored = program("monitor")
    assert monitored.code == 1
    assert f"cannot be read back whole: {newer}" in monitored.out
    assert " BAD 20" in program("status").out
    assert f" of {older} would be" in program("restore", "--to", "x", "--dry-run").out


def test_retention_removes_the_damaged_backup_and_keeps_the_good_one(
    program: Program, document: bytes
) -> None:
    older, newer = in_order(program)
    flip(program.backups / newer, document)
    assert program("drill").code == 1
    program.set(RETENTION__KEEP_AT_LEAST="1")
    assert program("clean", "--keep", "1").code == 0
    assert names(program.backups) == [older]


def test_a_drill_reads_no_faster_than_the_destination_may_be_read(
    program: Program, document: bytes
) -> None:
    program.set(DESTINATIONS__HERE__MAX_RATE="40KB")
    [proof] = json.loads(program("drill", "--json").out)["proofs"]
    assert proof["seconds"] > len(document) / 40_000
