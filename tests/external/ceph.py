"""A Ceph cluster of one machine, with its S3 gateway: a real storage engine on loopback."""

import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")

_CONFIGURATION = """
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{monitor_port}
ms bind msgr2 = false
ms bind ipv4 = true
public network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 1
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 2147483648
rgw multipart min part size = 1
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
pid file = {folder}/$name.pid
keyring = {folder}/keyring
mon data = {folder}/mon
osd data = {folder}/osd
crash dir = {folder}
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:{port}
"""


class Ceph:
    """Monitor, object store in memory and gateway, each ended by its own process when left."""

    access_key_id = "access"
    secret_access_key = secrets.token_hex(16)

    def __enter__(self) -> Self:
        for tries_left in (2, 1, 0):
            # Paths of admin sockets may have 107 bytes at the most, so the folder's must be short.
            self._folder = Path(tempfile.mkdtemp(prefix="ceph-", dir="/tmp"))
            self._processes: dict[str, subprocess.Popen[bytes]] = {}
            self._commands: dict[str, tuple[str, ...]] = {}
            self.port = _free_port()
            self.url = f"http://127.0.0.1:{self.port}"
            try:
                self._begin()
            except BaseException as error:
                self._end()
                # Somebody may have taken a port that was free when it was chosen.
                if not tries_left or not isinstance(error, subprocess.SubprocessError):
                    raise
            else:
                break
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _begin(self) -> None:
        fsid, disk = str(uuid4()), str(uuid4())
        monitor_port = _free_port()
        for name in ("mon", "osd"):
            (self._folder / name).mkdir()
        (self._folder / "ceph.conf").write_text(
            _CONFIGURATION.format(
                fsid=fsid, monitor_port=monitor_port, port=self.port, folder=self._folder
            )
        )
        address = f"[v1:127.0.0.1:{monitor_port}]"
        map_of_monitors = str(self._folder / "monmap")
        self._run("monmaptool", "--create", "--addv", "a", address, "--fsid", fsid, map_of_monitors)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", map_of_monitors)
        self._start("ceph-mon", "-i", "a")
        number = self._run("ceph", "osd", "new", disk).strip()
        self._run("ceph-osd", "-i", number, "--mkfs", "--osd-uuid", disk)
        self._start("ceph-osd", "-i", number)
        self._start("radosgw", "-n", "client.rgw.a")
        keys = [f"--access-key={self.access_key_id}", f"--secret-key={self.secret_access_key}"]
        self._admit("radosgw-admin", "user", "create", "--uid=u", "--display-name=u", *keys)
        self._wait_for_the_gateway()

    def _admit(self, *command: str) -> None:
        """Make the user; meanwhile start again what died, as a new OSD may ("wrong fsid")."""
        deadline = time.monotonic() + 100
        with subprocess.Popen(
            self._with_configuration(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as admission:
            while admission.poll() is None:
                if time.monotonic() > deadline:
                    admission.kill()
                for name, process in list(self._processes.items()):
                    if process.poll() is not None:
                        self._start(*self._commands[name])
                time.sleep(0.1)
        if admission.returncode:
            raise subprocess.SubprocessError("Ceph could not be brought up")

    def _wait_for_the_gateway(self) -> None:
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return
            time.sleep(0.1)
        raise TimeoutError("the gateway did not answer")

    def _start(self, *command: str) -> None:
        name = command[0]
        self._commands[name] = command
        with (self._folder / f"{name}.out").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                [*self._with_configuration(command), "-f"], stdout=output, stderr=output
            )

    def _run(self, *command: str) -> str:
        return subprocess.run(
            self._with_configuration(command),
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=40,
            text=True,
        ).stdout

    def _with_configuration(self, command: tuple[str, ...]) -> list[str]:
        program, *arguments = command
        if program == "monmaptool":
            return [program, *arguments]
        return [program, "-c", str(self._folder / "ceph.conf"), *arguments]

    def _end(self) -> None:
        for process in reversed(self._processes.values()):
            process.kill()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
