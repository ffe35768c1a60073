"""WinZip AES-256 (AE-2): keys, encryption, and decryption from any position.

The format is https://www.winzip.com/en/support/aes-encryption/ : an encrypted member is its salt
(16 bytes), a password verifier (2), the ciphertext, and an authentication code (10), which is the
start of the HMAC-SHA1 of the ciphertext. The cipher is AES-256 in counter mode with a 128-bit
little-endian counter that starts at 1. OpenSSL counts big-endian, so the key stream is made here
from ECB over counters, which lets it start anywhere.

A salt belongs to one member for ever: two texts under one salt would share a key stream, and
their difference would be there for all to read.
"""

import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from backupd.archive.records import CODE_BYTES, HEAD_BYTES, SALT_BYTES
from backupd.errors import ArchiveError, WrongPasswordError

Buffer = bytes | bytearray | memoryview

_KEY_BYTES = 32
_ROUNDS = 1000
_BLOCK = 16
_SPAN_BLOCKS = 1 << 14
_SPAN = _SPAN_BLOCKS * _BLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What a password and a salt give."""

    encryption: bytes = field(repr=False)
    authentication: bytes = field(repr=False)
    verifier: bytes = field(repr=False)
    """Two bytes: a wrong password is noticed by them in all but one of 65,536 cases."""


def derive_keys(password: str, salt: bytes) -> Keys:
    """Stretch the password (PBKDF2, HMAC-SHA1, 1000 rounds: about half a millisecond)."""
    stretched = PBKDF2HMAC(SHA1(), 2 * _KEY_BYTES + HEAD_BYTES - SALT_BYTES, salt, _ROUNDS).derive(  # noqa: S303  (the format's choice)
        password.encode()
    )
    return Keys(
        encryption=stretched[:_KEY_BYTES],
        authentication=stretched[_KEY_BYTES : 2 * _KEY_BYTES],
        verifier=stretched[2 * _KEY_BYTES :],
    )


def _counters() -> bytes:
    """Return the counters 0, 1, 2 … of one span, 16 bytes each, little-endian."""
    return b"".join(number.to_bytes(_BLOCK, "little") for number in range(_SPAN_BLOCKS))


def _xor(left: Buffer, right: Buffer, target: bytearray | memoryview) -> None:
    from Cryptodome.Util.strxor import strxor  # noqa: PLC0415  (costs 0.04 s; plain needs none)

    strxor(left, right, output=target)  # type: ignore[arg-type]  # any buffer will do


class KeyStream:
    """The key stream of one member; `apply` both encrypts and decrypts, from any position."""

    _span_counters: bytes = b""

    def __init__(self, keys: Keys) -> None:
        self._encryptor = Cipher(algorithms.AES(keys.encryption), modes.ECB()).encryptor()  # noqa: S305  (counter mode is built on it)

    def apply(self, data: Buffer, position: int) -> bytes:
        """Return `data`, which stands at byte `position` of the member, xor the key stream."""
        output = bytearray(len(data))
        view, done = memoryview(data), 0
        with memoryview(output) as target:
            while done < len(output):
                at = position + done
                stream = self._stream(at, min(len(output) - done, _SPAN - (at + _BLOCK) % _SPAN))
                end = done + len(stream)
                _xor(view[done:end], stream, target[done:end])
                done = end
        return bytes(output)

    def _stream(self, position: int, length: int) -> memoryview:
        """Make `length` bytes of key stream that lie within one span of counters."""
        if not KeyStream._span_counters:
            KeyStream._span_counters = _counters()
        counter, skip = position // _BLOCK + 1, position % _BLOCK
        span, first = divmod(counter, _SPAN_BLOCKS)
        blocks = (skip + length + _BLOCK - 1) // _BLOCK
        counters = bytearray(self._span_counters[first * _BLOCK : (first + blocks) * _BLOCK])
        if span:  # the upper bits are the same all through the span, and clear in the table
            upper = (span * _SPAN_BLOCKS).to_bytes(_BLOCK, "little")
            _xor(counters, upper * blocks, counters)
        return memoryview(self._encryptor.update(counters))[skip : skip + length]


class Encrypter:
    """Encrypts one member: `head`, then what `update` returns, then `code()`."""

    def __init__(self, password: str, salt: bytes | None = None) -> None:
        salt = os.urandom(SALT_BYTES) if salt is None else salt
        keys = derive_keys(password, salt)
        self.head = salt + keys.verifier
        self._stream = KeyStream(keys)
        self._position = 0
        self._mac = HMAC(keys.authentication, SHA1())  # noqa: S303  (the format's choice)

    def update(self, data: Buffer) -> bytes:
        """Encrypt the next piece, of any length."""
        encrypted = self._stream.apply(data, self._position)
        self._position += len(encrypted)
        self._mac.update(encrypted)
        return encrypted

    def mark(self) -> Callable[[], None]:
        """Return a function that takes back what is encrypted from here on.

        It must be unwritten wherever it was written to: what follows has the same key stream.
        """
        position, mac = self._position, self._mac.copy()

        def take_back() -> None:
            self._position, self._mac = position, mac

        return take_back

    def code(self) -> bytes:
        """Return the authentication code that ends the member; nothing may follow."""
        return self._mac.finalize()[:CODE_BYTES]


class Decrypter:
    """Decrypts one member from its start to its end, and proves that it is whole.

    Raises:
        WrongPasswordError: the verifier in `head` is not this password's.
    """

    def __init__(self, password: str, head: bytes) -> None:
        keys = check_password(password, head)
        self._stream = KeyStream(keys)
        self._position = 0
        self._mac = HMAC(keys.authentication, SHA1())  # noqa: S303  (the format's choice)

    def update(self, data: Buffer) -> bytes:
        """Decrypt the next piece, of any length; not to be trusted before `verify`."""
        self._mac.update(data)
        plain = self._stream.apply(data, self._position)
        self._position += len(plain)
        return plain

    def verify(self, code: bytes) -> None:
        """Compare the authentication code that stands behind the ciphertext.

        Raises:
            ArchiveError: the member is damaged, or (once in 65,536) the password is wrong.
        """
        if not hmac.compare_digest(self._mac.finalize()[:CODE_BYTES], code):
            raise ArchiveError(
                "An encrypted member is damaged: its authentication code does not match.",
                hint="Restore from another destination or an older backup.",
            )


def check_password(password: str, head: bytes) -> Keys:
    """Return the keys of a member that starts with `head` (salt and verifier).

    Raises:
        ArchiveError: the head is cut short.
        WrongPasswordError: it was encrypted with another password.
    """
    if len(head) != HEAD_BYTES:
        raise ArchiveError(
            "An encrypted member is cut short.",
            hint="Restore from another destination or an older backup.",
        )
    keys = derive_keys(password, head[:SALT_BYTES])
    if not hmac.compare_digest(keys.verifier, head[SALT_BYTES:]):
        raise WrongPasswordError("The archive was encrypted with another password.")
    return keys
