"""What all dumps have in common: a member of an archive, whose bytes are looked at as they pass."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from backupd.errors import DumpError
from backupd.model import DatabaseFacts, Member, MemberKind
from backupd.naming import dump_path

_EDGE = 1024


class Compression(StrEnum):
    """How a dump is compressed inside the archive, which compresses it anyway."""

    NONE = "none"
    GZIP = "gzip"


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpShape:
    """What every whole dump of one format has, however little is in the database."""

    extension: str
    minimum: int
    """Bytes; the dump of an empty database is larger."""
    begins: bytes = b""
    ends: bytes
    """Stands in the last KiB; b"" where the format has no such mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpOccasion:
    """Of what a dump is made, and when."""

    kind: str
    name: str
    """Unique among all dumps of one archive."""
    when: datetime
    zone: tzinfo

    def member(
        self, extension: str, version: str, stream: Callable[[list[DatabaseFacts]], Iterator[bytes]]
    ) -> Member:
        """Make a member; `stream` appends what it came to know of the database, once it did."""
        learnt = [self.facts(version=version, exact=False)]
        plain = self.plain_member(extension, lambda: stream(learnt))
        return plain._replace(database=learnt[0], facts=lambda: learnt[-1])

    def plain_member(self, extension: str, stream: Callable[[], Iterator[bytes]]) -> Member:
        """Make a member that is no database by itself."""
        return Member(
            path=dump_path(self.kind, self.name, self.when, self.zone, extension),
            kind=MemberKind.DUMP,
            mtime_ns=int(self.when.timestamp()) * 1_000_000_000,
            mode=0o600,
            stream=stream,
        )

    def facts(
        self,
        *,
        version: str,
        exact: bool,
        tables: Mapping[str, int] | None = None,
        warnings: tuple[str, ...] = (),
        left_out: tuple[str, ...] = (),
    ) -> DatabaseFacts:
        """Say what is known of the database, under the name that its dump has."""
        return DatabaseFacts(
            name=self.name,
            kind=self.kind,
            tables=tables or {},
            exact=exact,
            version=version,
            warnings=warnings,
            left_out=left_out,
        )


def dump_name(name: str, database: str) -> str:
    """Name the dump of one database of a whole server: `<name>.<database>`, safe as a file name.

    It cannot be the name of another: a name in the settings holds no dot.
    """
    safe = "".join(
        letter if letter.isalnum() or letter in "_-" else "".join(f"%{b:02X}" for b in octets)
        for letter in database
        for octets in [letter.encode(errors="surrogateescape")]
    )
    return f"{name}.{safe}"


def believable(chunks: Iterable[bytes], shape: DumpShape, database: str) -> Iterator[bytes]:
    """Pass a dump through, and raise DumpError at its end if it cannot be a whole one."""
    size, head, tail = 0, b"", b""
    for chunk in chunks:
        size += len(chunk)
        head = head if len(head) >= len(shape.begins) else head + chunk[:_EDGE]
        tail = (tail + chunk[-_EDGE:])[-_EDGE:]
        yield chunk
    if mistake := dump_mistake(shape, size, head, tail):
        raise DumpError(
            f"The dump of the database '{database}' {mistake}, although its program reported "
            "success; it was not kept.",
            hint="Run the dump program by hand and look at its output; if PROGRAM is a script of "
            "your own, make it fail when the dump fails.",
        )


def dump_mistake(shape: DumpShape, size: int, head: bytes, tail: bytes) -> str:
    """Say why a dump cannot be whole; "" if nothing speaks against it."""
    if size == 0:
        return "is empty"
    if size < shape.minimum:
        return f"is only {size} bytes long"
    if not head.startswith(shape.begins):
        return "does not begin as its format does"
    if shape.ends not in tail:
        return "lacks its end"
    return ""


def compressed(chunks: Iterable[bytes], compression: Compression) -> Iterator[bytes]:
    """Compress a dump, if that is asked for."""
    if compression is Compression.NONE:
        yield from chunks
        return
    deflate = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)  # 16: with the gzip header
    for chunk in chunks:
        if packed := deflate.compress(chunk):
            yield packed
    yield deflate.flush()
