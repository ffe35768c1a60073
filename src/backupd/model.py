"""The frozen values that travel through the program; none of them does anything.

Times are aware and in UTC, sizes are bytes, paths inside an archive are `/`-separated without
a leading `/`. A path that is not UTF-8 carries its bytes as lone surrogates (PEP 383), as
`os.fsdecode` makes them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple


class MemberKind(StrEnum):
    """What a member of an archive is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    DUMP = "dump"


class Scope(StrEnum):
    """How much of the backup set an archive holds."""

    FULL = "full"
    ONLY_DB = "only-db"
    ONLY_FILES = "only-files"
    SELECTED = "selected"
    """Some databases, or files with more left out than the settings say."""


class Compression(StrEnum):
    """How hard an archive's members are deflated."""

    FAST = "fast"
    BALANCED = "balanced"
    SMALL = "small"


class Condition(StrEnum):
    """What is known of the bytes of a backup."""

    UNPROVED = "unproved"
    """Whole by its size and place, but never read back."""
    PROVED = "proved"
    """Read back, and every byte was right."""
    DAMAGED = "damaged"
    """Read back and found wrong, or not of the size that was delivered."""


class OmissionReason(StrEnum):
    """Why something that stood in a source is not in the archive."""

    UNREADABLE = "unreadable"
    VANISHED = "vanished"
    SPECIAL = "socket, fifo or device"
    TOO_LONG = "path too long"
    NAME_TAKEN = "name taken by another member"
    DUMP_FAILED = "dump failed"


class Outcome(StrEnum):
    """How an operation, or one copy, came out."""

    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What is known of a database at the moment of its dump."""

    name: str
    kind: str
    """`sqlite`, `postgresql`, `mysql`, `mariadb` or `mongodb`."""
    tables: Mapping[str, int] = field(default_factory=dict)
    """Rows by table."""
    exact: bool = True
    """Whether `tables` was counted, not estimated."""
    dump_bytes: int = 0
    """The plain size of its dump; 0 before there is one."""
    version: str = ""
    """The server's, or the library's."""
    warnings: tuple[str, ...] = ()
    """Sentences on what the dump cannot promise, and in a report, on what is odd about it."""
    left_out: tuple[str, ...] = ()
    """Tables whose rows are not in the dump, because the settings say so."""
    path: str = ""
    """Its dump's, in the archive."""
    state: str = ""
    """What its files were when it was dumped: while they are, nothing was written to it. "" if that
    cannot be told."""


class Member(NamedTuple):
    """One thing to put into an archive, before it is read; a tuple, for there are so many.

    A file's bytes come from `origin`, a path on this machine; a dump's either from `origin`
    (a finished copy in the run's scratch directory) or from `stream`, which is called once and
    whose last read raises `DumpError` if the dump program failed.
    """

    path: str
    kind: MemberKind
    mtime_ns: int
    mode: int
    """Permission bits, 0o7777 at the most."""
    size: int | None = None
    """Bytes when it was looked at; of a stream None, or a guess."""
    uid: int = 0
    gid: int = 0
    ctime_ns: int = 0
    inode: int = 0
    device: int = 0
    link_target: str = ""
    origin: str = ""
    stream: Callable[[], Iterator[bytes]] | None = None
    database: DatabaseFacts | None = None
    facts: Callable[[], DatabaseFacts] | None = None
    """Asked once the stream was read to its end, knows better than `database`."""
    optional: bool = False
    """Whether it may be left out when it cannot be read: a file without harm, a dump so that the
    backup is partial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Omission:
    """Something of a source that is not in the archive, and why."""

    path: str
    reason: OmissionReason
    detail: str = ""
    harmless: bool = False
    """A harmless one is counted and named; any other makes the backup partial."""


class ManifestEntry(NamedTuple):
    """One member as it stands in an archive; a tuple, as `Member` is."""

    path: str
    kind: MemberKind
    size: int
    mtime_ns: int
    mode: int
    uid: int
    gid: int
    user: str = ""
    group: str = ""
    sha256: str = ""
    """Hexadecimal, of the plain bytes (a symbolic link's target); "" for a directory."""
    link_target: str = ""
    ctime_ns: int = 0
    inode: int = 0
    changed_while_read: bool = False
    stored_crc32: int = 0
    """CRC-32 of the member as it stands in the archive, from its local header to its end."""
    carried_from: str = ""
    """The archive for which it was read, if it was carried over; "" if it was read for this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveHeader:
    """What the manifest says of the archive as a whole."""

    archive: str
    """The archive's file name."""
    set_name: str
    created_at: datetime
    timezone: str
    scope: Scope
    version: str
    """backupd's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The JSON inside an archive (`docs/reference/manifest.md`)."""

    header: ArchiveHeader
    encrypted: bool
    entries: tuple[ManifestEntry, ...]
    databases: tuple[DatabaseFacts, ...] = ()
    omissions: tuple[Omission, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A finished archive in the spool."""

    name: str
    path: Path
    size: int
    sha256: str
    created_at: datetime
    scope: Scope
    encrypted: bool
    members: int
    """Files, links, directories and dumps; not what backupd itself adds."""
    content_bytes: int
    """The plain size of all members."""
    databases: tuple[DatabaseFacts, ...] = ()
    omissions: tuple[Omission, ...] = ()
    changed_while_read: tuple[str, ...] = ()
    """Paths of files that were still being written after a second reading."""
    carried: int = 0
    """Members that were taken over from the previous archive, unchanged."""
    full_because: str = ""
    """Why nothing could be taken over, if nothing could."""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing that was asked for."""
        return all(omission.harmless for omission in self.omissions)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledArchive:
    """A finished archive that waits in the spool, by what its delivery needs to know."""

    name: str
    path: Path
    size: int
    sha256: str
    scope: Scope = Scope.FULL
    pinned: bool = False
    certified: bool = True
    """Whether its SHA-256 is known to be that of what was built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object at a destination."""

    key: str
    size: int
    modified_at: datetime
    sha256: str = ""
    """Hexadecimal, where the destination confirmed it; "" where it cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One archive at one destination."""

    set_name: str
    destination: str
    key: str
    created_at: datetime
    """Read from the name, never from the file's own time."""
    size: int
    ordinal: int = 1
    """2 for the second archive of the same second (`…-2.zip`), and so on."""
    scope: Scope = Scope.FULL
    condition: Condition = Condition.UNPROVED
    verified_at: datetime | None = None
    """When it was last read back, whatever came out."""
    encrypted: bool | None = None
    """None where nobody here knows."""
    pinned: bool = False
    """Whether somebody asked that it be kept for ever."""
    locked_until: datetime | None = None
    """Until when the destination itself refuses to delete it."""

    @property
    def rank(self) -> tuple[bool, datetime, int, str]:
        """Order backups of one set: a damaged one is worth less than any other, an old one less."""
        return self.condition is not Condition.DAMAGED, self.created_at, self.ordinal, self.key
