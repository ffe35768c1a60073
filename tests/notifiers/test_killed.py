"""The program is killed at every line between an event and its mail."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from fakes.mail_server import Mailbox, MailHouse

TESTS = Path(__file__).parents[1]


def test_killed_at_every_step_nothing_is_lost_and_what_comes_twice_can_be_told(
    tmp_path: Path,
) -> None:
    """Twice comes only what the server took before that could be written down, under one id."""
    with MailHouse(Mailbox()) as house:
        done = subprocess.run(
            [sys.executable, TESTS / "fakes" / "doomed.py", tmp_path, str(house.port)],
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stdout=subprocess.PIPE,
            check=True,
        )
    places = json.loads(done.stdout.splitlines()[-1])
    assert len(places) > 50
    twice = []
    for step, place in enumerate(places, 1):
        mails = [mail for mail in house.mailbox.mails if f" set{step} " in mail["From"]]
        ids = Counter(mail["Message-ID"] for mail in mails)
        assert len(ids) == 1, place
        assert {mail["X-Backupd-Event"] for mail in mails} == {"backup_failed"}
        if ids.total() > 1:
            twice.append(place)
    after_it_was_taken = ("Mail.send", "MailServer.session", "Round._sent", "Outbox.end")
    assert all(place.startswith(after_it_was_taken) for place in twice), twice
