"""The daemon's private socket: whoever runs `status` asks, and `systemctl reload` is answered."""

import hashlib
import json
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from backupd.daemon.state import DaemonState, from_json
from backupd.errors import BackupdError, LockedError

STATE, RELOAD = "state", "reload"

_LONGEST_NAME = 60
_LONGEST_REQUEST = 64
_PATIENCE = 2.0
_RELOAD_PATIENCE = 60.0


def socket_path(process: Mapping[str, str], set_name: str) -> Path:
    """Tell where a set's daemon listens: systemd's RuntimeDirectory, else the user's own."""
    if len(set_name) > _LONGEST_NAME:  # a socket's path has at most 107 bytes (unix(7))
        set_name = hashlib.sha256(set_name.encode()).hexdigest()[:_LONGEST_NAME]
    return _runtime_directory(process) / f"{set_name}.sock"


def _runtime_directory(process: Mapping[str, str]) -> Path:
    if given := process.get("RUNTIME_DIRECTORY"):
        return Path(given.partition(":")[0])
    if os.geteuid() == 0 or "XDG_RUNTIME_DIR" not in process:
        return Path("/run/backupd")
    return Path(process["XDG_RUNTIME_DIR"]) / "backupd"


class ControlSocket:
    """Answers one short request per connection; only the daemon's user and root can connect."""

    def __init__(self, path: Path, answer: Callable[[str], str]) -> None:
        self.path = path
        self._answer = answer
        self._socket = _listen(path)

    def fileno(self) -> int:
        """What to wait for."""
        return self._socket.fileno()

    def serve(self) -> None:
        """Answer whoever connected; one who dawdles is left."""
        with suppress(OSError):
            connection, _ = self._socket.accept()
            with connection:
                connection.settimeout(_PATIENCE)
                request = connection.recv(_LONGEST_REQUEST).decode("ascii", "replace").strip()
                connection.sendall(self._answer(request).encode() + b"\n")

    def close(self) -> None:
        """Stop listening and take the socket's file away."""
        self.path.unlink(missing_ok=True)
        self._socket.close()


def _listen(path: Path) -> socket.socket:
    _refuse_second(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            listening.bind(str(path))
        finally:
            os.umask(before)
        listening.listen()
        listening.settimeout(0)
    except OSError as error:
        listening.close()
        raise BackupdError(
            f"The daemon cannot listen at {path}: {error.strerror or error}.",
            hint="Let backupd's user write to that directory, or set RUNTIME_DIRECTORY.",
        ) from error
    return listening


def _refuse_second(path: Path) -> None:
    """Refuse to work beside another daemon; the socket of a dead one takes no connection."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, suppress(OSError):
        connection.settimeout(_PATIENCE)
        connection.connect(str(path))
        raise LockedError(
            f"Another daemon looks after this backup set; it listens at {path}.",
            hint="Stop that one first: systemctl stop backupd",
        )


def _ask(path: Path, request: str, patience: float) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(patience)
        connection.connect(str(path))
        connection.sendall(request.encode() + b"\n")
        content = b""
        while chunk := connection.recv(65536):
            content += chunk
        return content


def read_state(path: Path) -> DaemonState | None:
    """Ask the daemon what it does; None if no daemon listens there.

    Raises:
        BackupdError: it may not be asked, or does not answer.
    """
    try:
        return from_json(_ask(path, STATE, _PATIENCE))
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError as error:
        raise BackupdError(
            f"The daemon at {path} cannot be asked: {error.strerror or error}.",
            hint="Ask as root, or as the user that the daemon runs as.",
        ) from error


def find_daemon(process: Mapping[str, str], is_meant: Callable[[DaemonState], bool]) -> Path | None:
    """Find where the daemon listens that is meant."""
    for path in sorted(_runtime_directory(process).glob("*.sock")):
        with suppress(BackupdError):
            state = read_state(path)
            if state is not None and is_meant(state):
                return path
    return None


def ask_to_reload(path: Path) -> tuple[str, ...]:
    """Have the daemon read its settings anew; return what is wrong with them, if anything.

    Raises:
        BackupdError: no daemon listens there, or it does not answer.
    """
    try:
        answer = json.loads(_ask(path, RELOAD, _RELOAD_PATIENCE))
    except OSError as error:
        raise BackupdError(
            f"No daemon answers at {path}: {error.strerror or error}.",
            hint="Start it: systemctl start backupd",
        ) from error
    return tuple(map(str, answer["mistakes"]))
