"""systemd's journal, written to in its native protocol, so that every fact is a field.

The format is of https://systemd.io/JOURNAL_NATIVE_PROTOCOL: `NAME=text` on a line or, for a text of
several lines, the name, its size in eight bytes (little endian), the text.
"""

import errno
import fcntl
import os
import re
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

SOCKET = Path("/run/systemd/journal/socket")

_NOT_IN_A_NAME = re.compile(r"[^A-Z0-9_]")
_LONGEST_NAME = 64
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


def is_connected(process: Mapping[str, str], descriptor: int) -> bool:
    """Tell whether the descriptor leads to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return process.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def encode(fields: Mapping[str, str]) -> bytes:
    """Write one entry."""
    return b"".join(_field(name, text.encode("utf-8", "replace")) for name, text in fields.items())


def _field(name: str, text: bytes) -> bytes:
    name_bytes = _NOT_IN_A_NAME.sub("_", name.upper())[:_LONGEST_NAME].encode()
    if b"\n" in text:
        return name_bytes + b"\n" + struct.pack("<Q", len(text)) + text + b"\n"
    return name_bytes + b"=" + text + b"\n"


class Journal:
    """Sends entries; one that is too large for a datagram goes as a sealed file in memory."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._path = str(path)

    def send(self, fields: Mapping[str, str]) -> None:
        """Send one entry.

        Raises:
            OSError: nobody listens.
        """
        entry = encode(fields)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
            try:
                sending.sendto(entry, self._path)
            except OSError as error:
                if error.errno not in {errno.EMSGSIZE, errno.ENOBUFS}:
                    raise
                self._send_file(sending, entry)

    def _send_file(self, sending: socket.socket, entry: bytes) -> None:
        descriptor = os.memfd_create("journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(entry)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor))]
            sending.sendmsg([b""], rights, 0, self._path)
        finally:
            os.close(descriptor)
