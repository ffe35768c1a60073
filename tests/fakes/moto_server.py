"""A real S3 server process: moto's, on a loopback port that it picks."""

import os
import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

# Moto looks whether a name is free and stores in two steps; S3 does both at once.
_PROGRAM = """
import io, logging, sys, threading
from moto.moto_server import werkzeug_app
from werkzeug.serving import make_server
logging.getLogger("werkzeug").setLevel(logging.ERROR)
moto = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
storing_if_free = threading.Lock()

def serve(environ, start_response):
    if "HTTP_IF_NONE_MATCH" not in environ or "CONTENT_LENGTH" not in environ:
        return moto(environ, start_response)
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    with storing_if_free:
        return moto(environ, start_response)

handler = werkzeug_app.MotoRequestHandler
server = make_server("127.0.0.1", 0, serve, threaded=True, request_handler=handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()  # until whoever started it closes the pipe, or dies
server.shutdown()
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
