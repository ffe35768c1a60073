"""A TCP proxy before an HTTP server that fails on purpose, at the request and byte it is told."""

import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum, auto
from io import BufferedReader
from types import TracebackType
from typing import Self

_PIECE = 64 * 1024


class Fault(StrEnum):
    """What the proxy can do to a request."""

    NONE = auto()
    """Nothing goes wrong."""
    REFUSE = auto()
    """Reset the connection as soon as the request's head is there."""
    CUT_REQUEST = auto()
    """Reset the connection after `at` bytes of the request's body."""
    STALL = auto()
    """Take `at` bytes of the request's body, then nothing more, until the proxy is closed."""
    ANSWER = auto()
    """Give `answer` without asking the server."""
    LOSE_REPLY = auto()
    """Let the server do its work, then reset the connection instead of answering."""
    CUT_REPLY = auto()
    """Reset the connection after `at` bytes of the reply's body."""
    FLIP_REQUEST = auto()
    """Change one bit of byte `at` of the request's body."""
    FLIP_REPLY = auto()
    """Change one bit of byte `at` of the reply's body."""
    TRICKLE = auto()
    """Pass the request's body on in pieces of `at` bytes, a moment apart."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """A fault, and the byte or size it is about, or what is answered."""

    fault: Fault
    at: int = 0
    answer: bytes = b""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that came by; `number` counts from 1 since the plan was set."""

    number: int
    method: str
    target: str
    headers: dict[str, str]


Plan = Callable[[Seen], Mishap | None]


def nothing(_: Seen) -> Mishap | None:
    """Let everything pass."""
    return None


def nth(number: int, mishap: Mishap) -> Plan:
    """Plan one mishap for the nth request."""
    return lambda seen: mishap if seen.number == number else None


def always(mishap: Mishap) -> Plan:
    """Plan the same mishap for every request."""
    return lambda _: mishap


def answering(status: str, code: str, **headers: str) -> Mishap:
    """Plan an error answer of S3: `503 Slow Down`, `SlowDown`."""
    body = f"<Error><Code>{code}</Code><Message>as planned</Message></Error>".encode()
    lines = [
        f"HTTP/1.1 {status}",
        "Content-Type: application/xml",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return Mishap(Fault.ANSWER, answer="\r\n".join([*lines, "", ""]).encode() + body)


class _CutError(Exception):
    """The connection is to be reset."""


class FaultProxy:
    """Listens on a loopback port of its own and passes HTTP/1.1 on to `upstream`'s port.

    With `tls`, it is the server's TLS end: what comes in encrypted goes on in plain.
    """

    def __init__(self, upstream: int, *, tls: ssl.SSLContext | None = None) -> None:
        self._upstream = upstream
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._plan: Plan = nothing
        self.seen: list[Seen] = []
        self.received: Counter[str] = Counter()
        """Bytes of request bodies that reached the proxy, by path."""
        self.given = 0
        """Bytes of replies' bodies that the proxy passed on."""
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        # Closing a listening socket does not wake a thread in accept(); shutting it down does.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def plan(self, plan: Plan) -> None:
        """Set what goes wrong from now on, and start to count anew."""
        with self._lock:
            self._plan = plan
            self.seen = []
            self.received = Counter()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until what was seen or received makes a condition true."""
        with self._changed:
            assert self._changed.wait_for(condition, timeout=60)

    def _listen(self) -> None:
        while not self.closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
            server = socket.create_connection(("127.0.0.1", self._upstream))
        except OSError:
            client.close()
            return
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open |= {client, server}
        try:
            requests, replies = client.makefile("rb"), server.makefile("rb")
            with requests, replies:
                while _Exchange(self, client, server, requests, replies).carry_out():
                    pass
        except _CutError:
            # A linger time of zero makes close() send a reset.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._open -= {client, server}
            client.close()
            server.close()

    def note(self, method: str, target: str, headers: dict[str, str]) -> Mishap | None:
        """Count a request and say what is to happen to it."""
        with self._lock:
            seen = Seen(len(self.seen) + 1, method, target, headers)
            self.seen.append(seen)
            self._changed.notify_all()
            return self._plan(seen)

    def count_given(self, size: int) -> None:
        """Count bytes of a reply's body."""
        with self._lock:
            self.given += size

    def count(self, target: str, size: int) -> None:
        """Count bytes of a request's body."""
        with self._changed:
            self.received[target.partition("?")[0]] += size
            self._changed.notify_all()


class _Exchange:
    """One request and its reply, passed on between two connections."""

    def __init__(
        self,
        proxy: FaultProxy,
        client: socket.socket,
        server: socket.socket,
        requests: BufferedReader,
        replies: BufferedReader,
    ) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._requests = requests
        self._replies = replies

    def carry_out(self) -> bool:
        """Return whether the connection can be used again."""
        head = _read_head(self._requests)
        if not head:
            return False
        first, headers = _parse(head)
        method, target, _ = first.split(" ", 2)
        mishap = self._proxy.note(method, target, headers) or Mishap(Fault.NONE)
        if mishap.fault is Fault.REFUSE:
            raise _CutError
        if mishap.fault is Fault.ANSWER:
            self._client.sendall(mishap.answer)
            return False
        # The proxy says "go on" itself, so that only final replies come from the server.
        if headers.get("expect"):
            self._client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = b"".join(
                line
                for line in head.splitlines(keepends=True)
                if not line.lower().startswith(b"expect:")
            )
        self._server.sendall(head)
        self._pass_request(target, int(headers.get("content-length", 0)), mishap)
        return self._pass_reply(method, mishap)

    def _pass_request(self, target: str, length: int, mishap: Mishap) -> None:
        done = 0
        while done < length:
            size = mishap.at if mishap.fault is Fault.TRICKLE else _PIECE
            if mishap.fault in {Fault.CUT_REQUEST, Fault.STALL}:
                if done >= mishap.at:
                    self._break_off(mishap)
                size = min(size, mishap.at - done)
            piece = self._requests.read1(min(size, length - done))
            if not piece:
                raise _CutError
            self._proxy.count(target, len(piece))
            if mishap.fault is Fault.FLIP_REQUEST:
                piece = _flipped(piece, mishap.at - done)
            self._server.sendall(piece)
            done += len(piece)
            if mishap.fault is Fault.TRICKLE:
                self._proxy.closing.wait(0.001)
        if mishap.fault in {Fault.CUT_REQUEST, Fault.STALL}:
            self._break_off(mishap)

    def _break_off(self, mishap: Mishap) -> None:
        if mishap.fault is Fault.STALL:
            self._proxy.closing.wait()
        raise _CutError

    def _pass_reply(self, method: str, mishap: Mishap) -> bool:
        head = _read_head(self._replies)
        while head.startswith(b"HTTP/1.1 100"):
            head = _read_head(self._replies)
        if not head:
            raise _CutError
        status, headers = _parse(head)
        body = self._reply_body(method, int(status.split(" ")[1]), headers)
        if mishap.fault is Fault.LOSE_REPLY:
            for _ in body:
                pass
            raise _CutError
        self._client.sendall(head)
        done = 0
        for piece in body:
            if mishap.fault is Fault.CUT_REPLY and done + len(piece) > mishap.at:
                self._client.sendall(piece[: mishap.at - done])
                raise _CutError
            flips = mishap.fault is Fault.FLIP_REPLY
            self._client.sendall(_flipped(piece, mishap.at - done) if flips else piece)
            self._proxy.count_given(len(piece))
            done += len(piece)
        return headers.get("connection", "").lower() != "close"

    def _reply_body(self, method: str, status: int, headers: dict[str, str]) -> Iterator[bytes]:
        if method == "HEAD" or status in {204, 304}:
            return
        if "chunked" in headers.get("transfer-encoding", ""):
            while True:
                line = self._replies.readline()
                chunk = self._replies.read(int(line.split(b";")[0] or b"0", 16) + 2)
                yield line + chunk
                if chunk == b"\r\n":
                    return
        left = int(headers.get("content-length", 0))
        while left:
            piece = self._replies.read1(min(left, _PIECE))
            if not piece:
                raise _CutError
            left -= len(piece)
            yield piece


def _read_head(stream: BufferedReader) -> bytes:
    lines = []
    while line := stream.readline():
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    return b""


def _parse(head: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = head.decode("latin-1").splitlines()
    pairs = (line.partition(":") for line in lines if line)
    return first, {name.lower(): value.strip() for name, _, value in pairs}


def _flipped(piece: bytes, position: int) -> bytes:
    if not 0 <= position < len(piece):
        return piece
    return piece[:position] + bytes([piece[position] ^ 1]) + piece[position + 1 :]
