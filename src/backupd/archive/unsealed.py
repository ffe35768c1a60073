"""An archive whose names are hidden, seen as the archive that is encrypted inside it.

It is an ordinary ZIP with one stored, encrypted member that is itself a ZIP. Counter mode can be
read from anywhere, so one member still costs its own bytes; only a pass over the whole can tell
that all of it is what was encrypted, and `verify` makes that pass.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hmac import compare_digest

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.hmac import HMAC

from backupd.archive.cipher import Keys, KeyStream, check_password
from backupd.archive.directory import Record
from backupd.archive.records import CODE_BYTES, HEAD_BYTES, LOCAL_BYTES
from backupd.archive.view import View
from backupd.errors import DamagedError, WrongPasswordError


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsealedView:
    """The inner archive, decrypted as it is read."""

    outer: View
    start: int
    """Where the ciphertext begins."""
    size: int
    keys: Keys = field(repr=False)

    @property
    def where(self) -> str:
        """The destination's name."""
        return self.outer.where

    def stream(self, start: int, length: int) -> Iterator[bytes]:
        """Give `length` plain bytes from `start`; they are not authenticated."""
        if start + length > self.size:
            raise DamagedError("The archive with hidden names is cut short.")
        keys, position = KeyStream(self.keys), start
        for chunk in self.outer.stream(self.start + start, length):
            yield keys.apply(chunk, position)
            position += len(chunk)

    def whole(self, on_stored: Callable[[bytes], None]) -> Iterator[bytes]:
        """Give all plain bytes; the end proves that they are what was encrypted."""
        for chunk in self.outer.stream(0, self.start):
            on_stored(chunk)
        code, keys, position = HMAC(self.keys.authentication, SHA1()), KeyStream(self.keys), 0  # noqa: S303  (the format's choice)
        for chunk in self.outer.stream(self.start, self.size):
            on_stored(chunk)
            code.update(chunk)
            yield keys.apply(chunk, position)
            position += len(chunk)
        end = self.start + self.size
        rest = b"".join(self.outer.stream(end, self.outer.size - end))
        on_stored(rest)
        if not compare_digest(code.finalize()[:CODE_BYTES], rest[:CODE_BYTES]):
            raise DamagedError(
                "The archive with hidden names is damaged: its authentication code does not match."
            )


def unseal(outer: View, sealed: Record, password: str | None) -> UnsealedView:
    """See what is inside.

    Raises:
        DamagedError: something else stands in the member's place.
        WrongPasswordError: it is encrypted with another password.
        DestinationError: as the destination says.
    """
    if not password:
        raise WrongPasswordError("The archive is encrypted, and no password is set.")
    fixed = LOCAL_BYTES + len(sealed.name)
    header = b"".join(outer.stream(sealed.offset, fixed))
    signature, name_length, extra_length = struct.unpack_from("<4s22xHH", header)
    head = sealed.offset + LOCAL_BYTES + name_length + extra_length
    start, size = head + HEAD_BYTES, sealed.size
    named = signature == b"PK\x03\x04" and header.endswith(sealed.name)
    if not named or start + size + CODE_BYTES > sealed.end:
        raise DamagedError("The archive with hidden names is damaged at its start.")
    keys = check_password(password, b"".join(outer.stream(head, HEAD_BYTES)))
    return UnsealedView(outer=outer, start=start, size=size, keys=keys)
