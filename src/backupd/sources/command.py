"""Database programs at work: their bytes, their exit status and their last words.

A program's exit status is part of its stream: who reads to the end gets a DumpError instead of
the end if the program failed. Secrets reach a program only by a file that exists in memory
(memfd_create(2), mode 0600, `/dev/fd/N`): nothing is left behind, even by SIGKILL, and nobody
sees them in `ps`. A program that stalls, or works for too long, is killed with its children.
"""

import os
import re
import select
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import Self

from backupd.errors import DumpError
from backupd.sources.advice import advice_on

GIVEN_FILE = "\0given file\0"
"""Stands in arguments and environment for the path of the file that holds `Command.secret`."""
STDERR_KEPT = 4096
_CHUNK = 1024 * 1024
_SECRET_LENGTH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run: nothing secret is in its arguments."""

    arguments: tuple[str, ...]
    purpose: str
    """What it does, for messages: `dumping the database 'shop'`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    secret: str = field(default="", repr=False)
    hidden: tuple[str, ...] = field(default=(), repr=False)
    """What is never shown, should the program print it."""
    time_limit: float
    """Seconds from start to end."""
    stall_limit: float
    """Seconds in which it neither gives nor takes a byte."""
    on_stderr: Callable[[str], None] | None = None
    """Is given each line of its standard error."""

    @property
    def program(self) -> str:
        """The program's name without its folder."""
        return Path(self.arguments[0]).name


def find_program(names: tuple[str, ...], *, beside: str = "", package: str) -> str:
    """Find the first of `names` that is there: in the folder of `beside`, else on PATH.

    Raises:
        DumpError: there is none; the hint names the Debian package that has it.
    """
    folder = str(Path(beside).parent) if "/" in beside else None
    for path in filter(None, (folder, os.environ.get("PATH", os.defpath))):
        for name in names:
            if found := shutil.which(name, path=path):
                return found
    raise DumpError(
        f"The program {' or '.join(names)} is not installed.",
        hint=f"Install it (apt install {package}), or set …__PROGRAM to where it is.",
    )


def output_of(command: Command, text: str = "") -> str:
    """Run a program to its end with `text` as its input, and return what it printed."""
    with Program(command, stdin=_memory_file(text), stdout=subprocess.PIPE) as program:
        return b"".join(program.output()).decode(errors="surrogateescape")


def stream_of(command: Command) -> Iterator[bytes]:
    """Run a program and give its output in chunks as it comes."""
    with Program(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as program:
        yield from program.output()


class Program:
    """A running program; it is ended when the `with` block is left, whatever happens there.

    `stdin` and `stdout` are what `subprocess.Popen` takes; a file descriptor is closed here.
    Raises DumpError when the program fails, stalls or cannot be started.
    """

    def __init__(self, command: Command, *, stdin: int, stdout: int) -> None:
        self.command = command
        self._tail = b""
        self._deadline = monotonic() + command.time_limit
        secret = _memory_file(command.secret)
        path = f"/dev/fd/{secret}"
        try:
            self._process = subprocess.Popen(
                [argument.replace(GIVEN_FILE, path) for argument in command.arguments],
                env=_environment(command.environment, path),
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                pass_fds=[secret],
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise DumpError(
                f"{command.program} cannot be started: {error.strerror}.",
                hint="Check that it is installed and that backupd may execute it.",
            ) from error
        finally:
            os.close(secret)
            if stdin >= 0:
                os.close(stdin)
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Killed before its pipes are closed: a program that loads a dump must not take the end
        # of our trouble for the end of the dump, and commit.
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._close()

    def output(self) -> Iterator[bytes]:
        """Give all that the program prints, and then look how it ended."""
        while chunk := self.read():
            yield chunk
        self.finish()

    def read(self) -> bytes:
        """Wait for the next bytes that the program prints; none mean that it closed its output."""
        if self._process.stdout is None:
            return b""
        self._wait_for(self._process.stdout.fileno(), select.POLLIN)
        return os.read(self._process.stdout.fileno(), _CHUNK)

    def write(self, chunk: bytes) -> None:
        """Give the program bytes to read, as fast as it takes them."""
        if self._process.stdin is None:
            return
        descriptor, view = self._process.stdin.fileno(), memoryview(chunk)
        os.set_blocking(descriptor, False)
        while view:
            self._wait_for(descriptor, select.POLLOUT)
            try:
                view = view[os.write(descriptor, view) :]
            except BrokenPipeError:
                self.finish()
                raise self._failure("stopped reading before the end") from None

    def finish(self) -> None:
        """Close its input, wait for its end, and raise DumpError if it failed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            status = self._process.wait(self._patience())
        except subprocess.TimeoutExpired:
            raise self._overdue() from None
        self._listener.join(self.command.stall_limit)
        if status:
            ended = f"was killed by {signal.Signals(-status).name}" if status < 0 else ""
            raise self._failure(ended or f"ended with status {status}")

    def _wait_for(self, descriptor: int, event: int) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        patience = self._patience()
        if patience <= 0 or not poll.poll(patience * 1000):
            raise self._overdue()

    def _patience(self) -> float:
        return max(0.0, min(self.command.stall_limit, self._deadline - monotonic()))

    def _overdue(self) -> DumpError:
        command = self.command
        if monotonic() >= self._deadline:
            return DumpError(
                f"{command.program} was stopped after {command.time_limit:g} seconds of "
                f"{command.purpose}.",
                hint="Raise BACKUP_DATABASES__…__TIMEOUT if it needs longer.",
                stderr=self._last_words(),
            )
        return DumpError(
            f"{command.program} stood still for {command.stall_limit:g} seconds while "
            f"{command.purpose}, and was stopped.",
            hint="Look on the server for who holds a lock; raise "
            "BACKUP_DATABASES__…__STALL_TIMEOUT if that is usual.",
            stderr=self._last_words(),
        )

    def _failure(self, ended: str) -> DumpError:
        words = self._last_words()
        said = f": {telling_line(words)}" if words.strip() else "."
        return DumpError(
            f"{self.command.program} {ended} while {self.command.purpose}{said}",
            hint=advice_on(words),
            exit_status=self._process.poll(),
            stderr=words,
        )

    def _last_words(self) -> str:
        text = self._tail.decode(errors="replace")
        for secret in self.command.hidden:
            # Fewer characters are no secret, and occur in every sentence.
            text = text.replace(secret, "***") if len(secret) >= _SECRET_LENGTH else text
        return text[-STDERR_KEPT:]

    def _listen(self) -> None:
        """Keep the end of what the program says; it must never wait for us to listen."""
        assert self._process.stderr is not None  # noqa: S101  (it was asked for a pipe)
        rest = b""
        with suppress(OSError, ValueError):
            while words := os.read(self._process.stderr.fileno(), STDERR_KEPT):
                self._tail = (self._tail + words)[-2 * STDERR_KEPT :]
                if self.command.on_stderr is not None:
                    *lines, rest = (rest + words).split(b"\n")
                    for line in lines:
                        self.command.on_stderr(line.decode(errors="replace"))

    def _close(self) -> None:
        self._listener.join(10)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


def telling_line(words: str) -> str:
    """Pick the line that names the trouble: the first that says error, else the last."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    errors = (line for line in lines if re.search(r"error|fatal|failed", line, re.IGNORECASE))
    return next(errors, lines[-1] if lines else "")


def _memory_file(text: str) -> int:
    """Make a file that exists in memory only, readable by its owner alone."""
    descriptor = os.memfd_create("backupd")
    os.fchmod(descriptor, 0o600)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(text.encode(errors="surrogateescape"))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _environment(environment: Mapping[str, str], secret_path: str) -> dict[str, str]:
    """Give a program what it needs and no more: no settings of ours, no startup files of HOME."""
    path = os.environ.get("PATH", os.defpath)
    given = {name: value.replace(GIVEN_FILE, secret_path) for name, value in environment.items()}
    return {"PATH": path, "LC_ALL": "C.UTF-8", **given}
