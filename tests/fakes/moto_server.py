"""A real S3 server process: moto's, on a loopback port that it picks."""

import os
import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

_PROGRAM = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()  # until whoever started it closes the pipe, or dies
server.stop()
"""


class MotoServer:
    """Runs while the context is open; it accepts any key, secret and checksum."""

    port: int

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"S3_UPLOAD_PART_MIN_SIZE": "1"},  # small parts make quick tests
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError, subprocess.TimeoutExpired):
            self._process.communicate(timeout=5)
        self._process.kill()
        self._process.wait()

    @property
    def url(self) -> str:
        """The address to give as an endpoint."""
        return f"http://127.0.0.1:{self.port}"
