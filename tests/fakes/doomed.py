"""A program that tells people of one failed backup, and is killed at every line it executes.

`doomed.py FOLDER PORT` notes which lines that takes. For each of them it forks, is killed when it
comes there, forks again and goes on as after a restart. It prints the lines, as JSON.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo

import backupd.notifiers.mail
import backupd.notifiers.worker
import backupd.observers.notify
import backupd.outbox
import backupd.telling.messages
from backupd.errors import DumpError
from backupd.events import Event
from backupd.history import History
from backupd.notifiers.mail import Mail, MailServer
from backupd.outbox import Outbox
from backupd.telling.language import Language
from backupd.telling.messages import Voice
from backupd.telling.notices import Policy, Topic
from fakes.accounts import MOMENT, failed, started
from fakes.clock import WoundClock

TO = "admin@example.org"
WATCHED = {
    module.__file__
    for module in (
        backupd.outbox,
        backupd.observers.notify,
        backupd.notifiers.worker,
        backupd.notifiers.mail,
    )
}


def voice(number: int) -> Voice:
    language = Language(code="en", zone=ZoneInfo("UTC"))
    return Voice(set_name=f"set{number}", host="web1", language=language)


def tell(folder: Path, number: int, event: Event) -> None:
    backupd.observers.notify.Telling(
        outbox=Outbox(folder / f"{number}.sqlite"),
        history=History(folder / "history.sqlite"),
        policy=Policy(),
        voice=voice(number),
        routes=backupd.observers.notify.Routes(topics={topic: [f"mail:{TO}"] for topic in Topic}),
        wake=lambda: None,
    )(event)


def send(folder: Path, port: int, number: int) -> None:
    server = MailServer(host="127.0.0.1", port=port, tls="none", own_name="web1")
    mail = Mail(server=server, sender="backupd@web1", recipient=TO, recipients=[TO])
    backupd.notifiers.worker.Round(
        outbox=Outbox(folder / f"{number}.sqlite"),
        group="mail",
        notifiers={f"mail:{TO}": mail},
        clock=WoundClock(MOMENT + timedelta(days=2)),
    ).go()


def watch(arrived: Callable[[str], None]) -> None:
    """From now on, say of each line of the watched modules that it is about to be executed."""

    def trace(frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401
        if frame.f_code.co_filename not in WATCHED:
            return None
        if event == "line":
            arrived(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        return trace

    sys.settrace(trace)


def forked(action: Callable[[], None]) -> bool:
    """Do it in a process of its own; tell whether that came to its end."""
    child = os.fork()
    if child == 0:
        action()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
        return True
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    raise RuntimeError(f"the fork ended with status {status}")


def main(folder: Path, port: int) -> None:
    backupd.telling.messages.sample(voice(0), MOMENT)  # what it loads, no fork has to load again
    notes = folder / "places"

    def told(number: int, arrived: Callable[[str], None]) -> None:
        tell(folder, number, started())
        watch(arrived)
        tell(folder, number, failed(DumpError("The dump failed.")))
        send(folder, port, number)
        sys.settrace(None)

    def noted() -> None:
        arrived: list[str] = []
        told(0, arrived.append)
        notes.write_text(json.dumps(list(dict.fromkeys(arrived))))

    forked(noted)
    places = json.loads(notes.read_text())
    for number, place in enumerate(places, 1):

        def doomed(number: int = number, place: str = place) -> None:
            told(
                number, lambda here: os.kill(os.getpid(), signal.SIGKILL) if here == place else None
            )

        def restarted(number: int = number) -> None:
            tell(folder, number, started(MOMENT + timedelta(days=1)))
            send(folder, port, number)

        if forked(doomed):
            raise RuntimeError(f"nothing came to {place}")
        forked(restarted)
    print(json.dumps(places))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
