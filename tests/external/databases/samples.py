"""Sample databases under writes, and what must be true of each copy of them."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from backupd.errors import BackupdError
from backupd.model import DatabaseFacts, Member, Omission
from backupd.ports import Loader, Source

WHEN = datetime(2026, 11, 22, 1, tzinfo=UTC)
PAUSE = 0.004
"""Seconds between two writes: more than 200 a second are asked for."""
EVERY_CHARACTER = "".join(map(chr, range(32, 127))) + " é漢🎉 "


ROWS = 160_000
"""Of the largest table of the whole sample; the other tables have 40,000 and some."""


FEW_ROWS = 4000


def sample(kind: str, rows: int) -> str:
    """Read the statements that make a sample database."""
    text = Path(__file__).with_name(f"{kind}_sample.sql").read_text()
    return text.replace(str(ROWS), str(rows))


def only_member(source: Source) -> Member:
    """Give the one member of a source."""
    (member,) = source.members()
    assert not isinstance(member, Omission)
    return member


def stream(member: Member) -> Iterator[bytes]:
    """Start a member's dump."""
    assert member.stream is not None
    return member.stream()


def content(member: Member) -> bytes:
    """Give a member's whole dump."""
    return b"".join(stream(member))


def facts(member: Member) -> DatabaseFacts:
    """Say what is known of the database after its dump."""
    assert member.facts is not None
    return member.facts()


def load(loader: Loader, member: Member) -> None:
    """Load a member's dump as it comes."""
    loader.load(member.path, stream(member))


@contextmanager
def program(arguments: tuple[str, ...], statements: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a client in the background, and end it."""
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        process.stdin.write(statements.encode())
        process.stdin.close()
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def failure_of(action: Callable[[], object]) -> BackupdError:
    """Run what must fail, and give its error."""
    try:
        action()
    except BackupdError as error:
        return error
    raise AssertionError("it did not fail")


class Spy:
    """Reads what every user can see of all processes, as often as it can, while a block runs."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self.programs: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def meets(self, programs: set[bytes], dump: Callable[[], bytes]) -> None:
        """Dump until it has met these programs, some of which live for but a few milliseconds."""
        for _ in range(20):
            assert dump()
            if programs <= self.programs:
                return
        raise AssertionError(f"met {self.programs}, not {programs}")

    def _watch(self) -> None:
        while not self._over.wait(0.002):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    arguments = (process / "cmdline").read_bytes()
                    self.seen |= {arguments, (process / "environ").read_bytes()}
                    self.programs.add(Path(arguments.split(b"\0")[0].decode()).name.encode())
                except OSError:
                    continue  # it has ended


def wait_until(condition: Callable[[], bool]) -> None:
    """Ask until it is so; half a minute is more than any of it takes."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.01)
