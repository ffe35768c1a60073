"""What tests of many rooms share: the program as its user runs it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from backupd.settings import load_settings
from backupd.settings.kinds import masked
from backupd.settings.variables import variable
from backupd.wiring import App
from fakes.bucket import OwnBucket
from fakes.fault_proxy import FaultProxy
from fakes.moto_server import MotoServer
from fakes.overheard import MARK, OVERHEARD, PLACES, overhear, secret, shown

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in its background so, and the programs under test would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class EnginesTogether(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Leaves all real engines to one worker: two that start at once get in each other's way."""

    def _split_scope(self, nodeid: str) -> str:
        return "external" if nodeid.startswith("tests/external/") else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> EnginesTogether:
    """Share out the tests; xdist's own groups do nothing under this pytest."""
    return EnginesTogether(config, log)


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(slots=True)
class Program:
    """`backupd` with an env file, a state directory and an application of its own."""

    folder: Path
    lines: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.folder / "application"

    @property
    def backups(self) -> Path:
        return self.folder / "backups"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
        return {
            **kept,
            "BACKUPD_ENV_FILE": str(self.folder / "backupd.env"),
            "STATE_DIRECTORY": str(self.state),
            "RUNTIME_DIRECTORY": str(self.folder / "runtime"),
        }

    def set(self, **settings: str) -> None:
        """Add settings to the env file; secrets among them have the mark that is searched for."""
        self.lines += [f"BACKUP_{name}={value}" for name, value in settings.items()]
        for line in self.lines:
            name, _, value = line.partition("=")
            known = variable(name)
            is_secret = known is not None and known.secret and masked(value) != value
            assert not is_secret or MARK in value, f"{name} should be made by fakes.overheard"
        (self.folder / "backupd.env").write_text("\n".join(self.lines) + "\n")

    def keep_in(self, bucket: OwnBucket, url: str = "", **more: str) -> None:
        """Add a destination called `offsite`, a bucket, perhaps by way of a proxy at `url`."""
        place = {
            "TYPE": "s3",
            "BUCKET": bucket.name,
            "ENDPOINT_URL": url or bucket.url,
            "REGION": "us-east-1",
            "ADDRESSING_STYLE": "path",
            **more,
        }
        keys = (bucket.access_key_id, bucket.secret_access_key)
        self.lines += [f"AWS_ACCESS_KEY_ID={keys[0]}", f"AWS_SECRET_ACCESS_KEY={keys[1]}"]
        self.set(**{f"DESTINATIONS__OFFSITE__{name}": value for name, value in place.items()})

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "backupd", *arguments]

    def start(self, *arguments: str, **more: str) -> "subprocess.Popen[str]":
        """Start it and leave it running, with more variables in its environment."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, **more: str) -> Done:
        """Run it to its end."""
        return self.finish(self.start(*arguments, **more))

    def send_the_rest(self) -> None:
        """Send what commands left in the outbox when their second was over, as the daemon does."""
        app = App(load_settings({}, self.folder / "backupd.env"), self.environment)
        worker = app.channels.worker()
        worker.start()
        assert worker.stop(60)

    def finish(self, process: "subprocess.Popen[str]", patience: float | None = None) -> Done:
        """Wait until it has ended."""
        out, err = process.communicate(timeout=patience)
        overhear("standard output", out)
        overhear("standard error", err)
        return Done(process.returncode, out, err)


@pytest.fixture(autouse=True)
def _nothing_shows_a_secret(tmp_path: Path) -> Iterator[None]:
    """Search all that came out of the test's programs, and the files while they are there."""
    OVERHEARD.clear()
    PLACES.clear()
    yield
    assert shown() == []


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return make_program(tmp_path)


def make_program(folder: Path) -> Program:
    """Lay down a small application with settings that back it up."""
    program = Program(folder)
    PLACES.extend([program.state, program.backups, folder / "runtime"])
    program.root.mkdir()
    for name in ("app/code.php", "storage/app/documents/a.pdf", ".env", "vendor/x.php"):
        path = program.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / "backupd.env").touch(mode=0o600)
    program.set(
        NAME="shop",
        TIMEZONE="UTC",
        SOURCE__ROOT=str(program.root),
        SOURCE__EXCLUDE="vendor/",
        DESTINATIONS__HERE__TYPE="local",
        DESTINATIONS__HERE__PATH=str(program.backups),
        MAIL__PASSWORD=secret("mail"),
        NOTIFY__WEBHOOK__SECRET=secret("webhook"),
    )
    return program


@pytest.fixture(scope="session")
def moto() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


@pytest.fixture
def bucket(moto: MotoServer) -> OwnBucket:
    return OwnBucket(url=moto.url)


@pytest.fixture
def proxy(moto: MotoServer) -> Iterator[FaultProxy]:
    with FaultProxy(moto.port) as proxy:
        yield proxy


def names(folder: Path, endings: Sequence[str] = (".zip",)) -> list[str]:
    """Give the sorted names in a folder that end so."""
    return sorted(name for name in os.listdir(folder) if name.endswith(tuple(endings)))
