"""A file as S3 wants it: cut into parts, with the digests that the server must confirm.

A file becomes one object in at most 10,000 parts, the limit of S3 ("Amazon S3 multipart upload
limits"). Part sizes depend on the file's size alone, so that a later try cuts the same file into
the same parts, finds those that arrived, and can tell whether a finished object is this file.
"""

import base64
import hashlib
import re
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from backupd.errors import BackupdError
from backupd.ports import Progress

MOST_PARTS = 10_000
_MEBIBYTE = 1024 * 1024
_PIECE = 128 * 1024
_SIGN_OF_LIFE = 0.5
_MD5_ETAG = re.compile(r"[0-9a-f]{32}(-[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a file; `number` counts from 1."""

    number: int
    start: int
    length: int


class Content:
    """What a file holds, known by its digests, each of which is worked out when it is needed.

    The digest of the whole is worked out in a thread of its own while parts are on their way.
    Raises OSError where the file cannot be read.
    """

    def __init__(self, path: Path, smallest_part: int) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.parts = cut(self.size, smallest_part)
        self._sha256s: dict[int, bytes] = {}
        self._md5s: dict[int, bytes] = {}
        self._whole = Part(number=0, start=0, length=self.size)
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._digest_whole, daemon=True)
        self._thread.start()

    def sha256(self, on_progress: Progress = lambda _: None) -> str:
        """Return the file's SHA-256 in hexadecimal; while it waits, it gives signs of life."""
        while self._thread.is_alive():
            self._thread.join(_SIGN_OF_LIFE)
            on_progress(0)
        if self._failure:
            raise self._failure
        return self._sha256s[self._whole.number].hex()

    def sha256_of(self, part: Part) -> bytes:
        """Return a part's SHA-256."""
        if part.number not in self._sha256s:
            self._sha256s[part.number] = self._digest(part, hashlib.sha256())
        return self._sha256s[part.number]

    def md5_of(self, part: Part) -> bytes:
        """Return a part's MD5, the only digest that every S3 server knows."""
        if part.number not in self._md5s:
            self._md5s[part.number] = self._digest(part, hashlib.md5(usedforsecurity=False))
        return self._md5s[part.number]

    def etag(self) -> str:
        """Return the ETag of the object where ETags are MD5s: of the MD5s, if in parts."""
        if len(self.parts) == 1:
            return self.md5_of(self.parts[0]).hex()
        together = hashlib.md5(b"".join(map(self.md5_of, self.parts)), usedforsecurity=False)
        return f"{together.hexdigest()}-{len(self.parts)}"

    def checksums(self) -> frozenset[str]:
        """Return what a server may give as this object's SHA-256: the whole's, or of the parts'.

        The second is the "composite" checksum, with or without the number of parts after it.
        """
        together = hashlib.sha256(b"".join(map(self.sha256_of, self.parts))).digest()
        composite = base64_of(together)
        whole = base64_of(bytes.fromhex(self.sha256()))
        return frozenset({whole, composite, f"{composite}-{len(self.parts)}"})

    def confirmed_by(self, answer: Mapping[str, object]) -> bool:
        """Tell whether an answer's checksum, or else its ETag, shows that it is this content."""
        if checksum := answer.get("ChecksumSHA256"):
            return checksum in self.checksums()
        etag = _md5_etag(answer)
        return bool(etag) and etag == self.etag()

    def part_confirmed_by(self, part: Part, answer: Mapping[str, object]) -> bool | None:
        """Tell whether an answer about a part shows this part; None if it says too little.

        With SSE-KMS an ETag is no MD5 and says nothing ("Object", Amazon S3 API Reference).
        """
        if answer.get("Size", part.length) != part.length:
            return False
        if checksum := answer.get("ChecksumSHA256"):
            return checksum == base64_of(self.sha256_of(part))
        etag = _md5_etag(answer)
        return (etag == self.md5_of(part).hex()) if etag else None

    def _digest_whole(self) -> None:
        try:
            self.sha256_of(self._whole)
        except OSError as error:
            self._failure = error

    def _digest(self, part: Part, digest: "hashlib._Hash") -> bytes:
        left = part.length
        with self.path.open("rb", buffering=0) as file:
            file.seek(part.start)
            while left:
                piece = file.read(min(left, _PIECE))
                if not piece:
                    raise OSError(f"{self.path} became shorter while it was read")
                digest.update(piece)
                left -= len(piece)
        return digest.digest()


class PartBody:
    """The bytes of one part, read from the file as they are sent; memory stays at one piece.

    The library reads a body several times (to sign it, and for every try), so bytes count as
    moved only after `begin_sending`. What goes wrong here leaves as the cause of a
    CancelledError, the one exception that the library passes on as it is.
    """

    def __init__(self, file: BinaryIO, part: Part, on_progress: Progress) -> None:
        self._file = file
        self._part = part
        self._position = 0
        self._on_progress = on_progress
        self._sending = False

    def begin_sending(self) -> None:
        """From now on, what is read is on its way."""
        self._sending = True

    def read(self, amount: int = -1) -> bytes:
        """Read on, at most to the part's end.

        More may come than was asked for: 128 KiB, since the library asks for 16 KiB at a time,
        and sending those costs more than the network. It takes what it gets.
        """
        left = self._part.length - self._position
        try:
            self._file.seek(self._part.start + self._position)
            data = self._file.read(left if amount < 0 else min(max(amount, _PIECE), left))
            if self._sending and data:
                self._on_progress(len(data))
        except (OSError, BackupdError) as error:
            raise CancelledError from error
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position within the part; a rewound body is not being sent any more."""
        self._position = (0, self._position, self._part.length)[whence] + offset
        self._sending = False
        return self._position

    def tell(self) -> int:
        """Say where in the part reading stands."""
        return self._position


def part_size(size: int, smallest: int) -> int:
    """Choose how large the parts of a file are: `smallest`, or as much as the limit demands."""
    needed = -(-size // MOST_PARTS)
    return max(smallest, -(-needed // _MEBIBYTE) * _MEBIBYTE)


def cut(size: int, smallest_part: int) -> tuple[Part, ...]:
    """Cut a file of a size into parts; an empty one is one empty part."""
    step = part_size(size, smallest_part)
    return tuple(
        Part(number=number, start=start, length=min(step, size - start))
        for number, start in enumerate(range(0, max(size, 1), step), start=1)
    )


def base64_of(digest: bytes) -> str:
    """Write a digest as S3's headers want it."""
    return base64.b64encode(digest).decode()


def _md5_etag(answer: Mapping[str, object]) -> str:
    """Return an answer's ETag if it can be an MD5, or an MD5 of MD5s; else ""."""
    etag = str(answer.get("ETag", "")).strip('"')
    encrypted_by_key = "kms" in str(answer.get("ServerSideEncryption", ""))
    return etag if _MD5_ETAG.fullmatch(etag) and not encrypted_by_key else ""
