"""A file as S3 wants it: cut into parts, each with the digests that the server must confirm.

A file becomes one object in at most 10,000 parts, the limit of S3 ("Amazon S3 multipart upload
limits"). Part sizes depend on the file's size alone, so that a later try cuts the same file into
the same parts, finds those that arrived, and can tell whether a finished object is this file.
"""

import base64
import hashlib
import os
import re
from collections.abc import Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from backupd.errors import BackupdError
from backupd.ports import Progress

MOST_PARTS = 10_000
_MEBIBYTE = 1024 * 1024
_PIECE = 256 * 1024
_MD5_ETAG = re.compile(r"[0-9a-f]{32}(-[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a file; `number` counts from 1."""

    number: int
    start: int
    length: int
    sha256: bytes


class Content:
    """What a file holds, known by its digests; MD5s are worked out only when asked for."""

    def __init__(self, path: Path, parts: tuple[Part, ...], sha256: str) -> None:
        self.path = path
        self.parts = parts
        self.sha256 = sha256
        """Hexadecimal, of the whole file."""
        self.size = sum(part.length for part in parts)
        self._md5s: dict[int, bytes] = {}

    def md5(self, part: Part) -> bytes:
        """Return a part's MD5, the only digest that every S3 server knows."""
        if part.number not in self._md5s:
            digest = hashlib.md5(usedforsecurity=False)
            with self.path.open("rb") as file:
                _feed(file, part.start, part.length, digest)
            self._md5s[part.number] = digest.digest()
        return self._md5s[part.number]

    def etag(self) -> str:
        """Return the ETag of the object where ETags are MD5s: of the MD5s, if in parts."""
        if len(self.parts) == 1:
            return self.md5(self.parts[0]).hex()
        together = hashlib.md5(b"".join(map(self.md5, self.parts)), usedforsecurity=False)
        return f"{together.hexdigest()}-{len(self.parts)}"

    def checksums(self) -> frozenset[str]:
        """Return what a server may give as this object's SHA-256: the whole's, or of the parts'.

        The second is the "composite" checksum, with or without the number of parts after it.
        """
        together = hashlib.sha256(b"".join(part.sha256 for part in self.parts)).digest()
        composite = base64_of(together)
        whole = base64_of(bytes.fromhex(self.sha256))
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
            return checksum == base64_of(part.sha256)
        etag = _md5_etag(answer)
        return (etag == self.md5(part).hex()) if etag else None


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
        """Read on, at most to the part's end."""
        left = self._part.length - self._position
        try:
            self._file.seek(self._part.start + self._position)
            data = self._file.read(left if amount < 0 else min(amount, left))
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


def examine(path: Path, smallest_part: int, on_progress: Progress) -> Content:
    """Read a file once and digest it; reports 0 bytes moved now and then, as a sign of life.

    Raises OSError if it cannot be read.
    """
    whole = hashlib.sha256()
    parts: list[Part] = []
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        step = part_size(size, smallest_part)
        for number, start in enumerate(range(0, max(size, 1), step), start=1):
            digest, length = hashlib.sha256(), min(step, size - start)
            _feed(file, start, length, digest, whole)
            parts.append(Part(number=number, start=start, length=length, sha256=digest.digest()))
            on_progress(0)
    return Content(path, tuple(parts), whole.hexdigest())


def base64_of(digest: bytes) -> str:
    """Write a digest as S3's headers want it."""
    return base64.b64encode(digest).decode()


def _md5_etag(answer: Mapping[str, object]) -> str:
    """Return an answer's ETag if it can be an MD5, or an MD5 of MD5s; else ""."""
    etag = str(answer.get("ETag", "")).strip('"')
    encrypted_by_key = "kms" in str(answer.get("ServerSideEncryption", ""))
    return etag if _MD5_ETAG.fullmatch(etag) and not encrypted_by_key else ""


def _feed(file: BinaryIO, start: int, length: int, *digests: "hashlib._Hash") -> None:
    """Feed a range of a file to digests, in pieces; OSError if the file has become shorter."""
    file.seek(start)
    while length:
        piece = file.read(min(length, _PIECE))
        if not piece:
            raise OSError(f"{file.name} became shorter while it was read")
        for digest in digests:
            digest.update(piece)
        length -= len(piece)
