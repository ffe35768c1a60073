"""Real servers, each on its own port and in its own folder, ended by its own process id."""

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

_START_LIMIT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    """A server of the tests' own; `sql` sends statements as its administrator."""

    kind: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    client: tuple[str, ...]

    def sql(self, statements: str, database: str = "") -> str:
        """Run statements, and return what they print, without headings."""
        named = ("--", database) if database and self.kind == "mariadb" else ()
        done = subprocess.run(
            (*self.client, *named),
            input=statements,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PGDATABASE": database or "postgres"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def url(self, database: str, user: str = "", password: str = "") -> str:
        """Name a database as BACKUP_DATABASES__…__URL does."""
        who = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else "root@"
        who = who.replace("root@", "postgres@") if self.kind == "postgresql" else who
        return f"{self.kind}://{who}127.0.0.1:{self.port}/{quote(database, safe='')}"

    def stop(self, number: signal.Signals) -> None:
        """End the server, and wait until it is gone."""
        self.process.send_signal(number)
        self.process.wait(60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _as_user(name: str) -> tuple[str, ...]:
    """Database servers refuse to be run by root."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", f"--reuid={name}", f"--regid={name}", "--clear-groups")


def _program(*names: str) -> str:
    folders = [os.environ["PATH"], "/usr/sbin", *_newest("/usr/lib/postgresql")]
    for name in names:
        if found := shutil.which(name, path=os.pathsep.join(folders)):
            return found
    pytest.skip(f"{names[0]} is not installed here, and cannot be without root and apt")


def _newest(folder: str) -> list[str]:
    versions = Path(folder).glob("*/bin")
    return [str(path) for path in sorted(versions, key=lambda path: -float(path.parent.name))]


def _wait_until_it_answers(server: RunningServer, log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while time.monotonic() < deadline and server.process.poll() is None:
        probe = subprocess.run(server.client, input=b"SELECT 1;", capture_output=True, check=False)
        if probe.returncode == 0:
            return
        time.sleep(0.05)
    pytest.fail(f"the server does not answer:\n{log.read_text(errors='replace')[-2000:]}")


def _start(
    folder: Path, kind: str, arguments: tuple[str, ...], client: tuple[str, ...], port: int
) -> RunningServer:
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder
        )
    server = RunningServer(kind=kind, port=port, folder=folder, process=process, client=client)
    _wait_until_it_answers(server, log)
    return server


def start_postgresql(folder: Path, **more: object) -> RunningServer:
    """Make a cluster with password logins, and start its server."""
    postgres, initdb = _program("postgres"), _program("initdb")
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    as_user, data = _as_user("postgres"), str(folder / "data")
    made = ("-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
    subprocess.run((*as_user, initdb, *made, "-A", "trust"), check=True, capture_output=True)
    (folder / "data" / "pg_hba.conf").write_text(
        "host all postgres 127.0.0.1/32 trust\nlocal all all scram-sha-256\n"
        "hostssl all encrypted 127.0.0.1/32 trust\nhost all encrypted 127.0.0.1/32 reject\n"
        "host all all 127.0.0.1/32 scram-sha-256\n"
    )
    port = _free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "full_page_writes": "off",
        "max_wal_size": "64MB",
        **more,
    }
    options = [f"--{name}={value}" for name, value in settings.items()]
    client = ("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres")
    return _start(
        folder,
        "postgresql",
        (*as_user, postgres, "-D", data, f"--port={port}", *options),
        (*client, "-h", "127.0.0.1", "-p", str(port)),
        port,
    )


def start_mariadb(folder: Path, **more: object) -> RunningServer:
    """Make a data directory, and start its server."""
    mariadbd, install = _program("mariadbd", "mysqld"), _program("mariadb-install-db")
    if os.geteuid() == 0:
        shutil.chown(folder, "mysql")
    data = f"--datadir={folder / 'data'}"
    user = ("--user=mysql",) if os.geteuid() == 0 else ()
    made = subprocess.run(
        (
            *(install, "--no-defaults", *user, data, "--skip-test-db"),
            "--auth-root-authentication-method=normal",
        ),
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},  # not where others may tidy
    )
    assert made.returncode == 0, made.stdout + made.stderr
    port = _free_port()
    settings = {
        "port": port,
        "socket": folder / "socket",
        "pid-file": folder / "pid",
        "bind-address": "127.0.0.1",
        "innodb-flush-log-at-trx-commit": 0,
        "skip-name-resolve": "ON",
        "tmpdir": folder,
        **more,
    }
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    client = ("mariadb", "--no-defaults", "-uroot", "-S", str(folder / "socket"), "-N", "-r")
    return _start(
        folder,
        "mariadb",
        (*_as_user("mysql"), mariadbd, "--no-defaults", data, *options),
        client,
        port,
    )
