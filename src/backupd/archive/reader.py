"""An archive opened for reading: its members, joined with the manifest, and their bytes."""

import os
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import NamedTuple

from backupd.archive.content import Chunk, content, opened_content
from backupd.archive.directory import Record, read_directory, sealed_record
from backupd.archive.foreign import entry_of_record
from backupd.archive.honesty import refuse_odd_values, refuse_unsafe_paths
from backupd.archive.manifest import MANIFEST_PATH, parse_manifest
from backupd.archive.restore_text import RESTORE_PATHS
from backupd.archive.view import View
from backupd.errors import DamagedError, WrongPasswordError
from backupd.model import Manifest, ManifestEntry, MemberKind
from backupd.reports import Flaw

_RUN_BYTES = 4 * 1024 * 1024
_RUN_MEMBERS = 256
_GAP_BYTES = 64 * 1024
_TRIED = 3


class StoredMember(NamedTuple):
    """A member and the place where it stands in the archive."""

    entry: ManifestEntry
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Members that stand close together, to be fetched by one request."""

    start: int
    length: int
    members: tuple[StoredMember, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenArchive:
    """An archive whose directory and manifest have been read."""

    view: View
    password: str | None = field(repr=False)
    members: tuple[StoredMember, ...]
    """In the order of their place in the archive, without what backupd itself adds."""
    own: tuple[Record, ...]
    """`RESTORE.txt` and the manifest."""
    manifest: Manifest | None
    """None for an archive that another program made."""
    flaws: tuple[Flaw, ...] = ()
    """Members that the manifest names and the directory does not, and the other way round."""

    @property
    def never_taken(self) -> tuple[str, ...]:
        """Paths that could not be read when the archive was made, by its manifest."""
        omissions = self.manifest.omissions if self.manifest else ()
        return tuple(each.path for each in omissions if not each.harmless)

    def read(self, run: Run) -> Iterator[tuple[StoredMember, Generator[Chunk]]]:
        """Fetch a run and give each member with its checked bytes (see `content`)."""
        return self.cut(run, self.view.stream(run.start, run.length))

    def cut(
        self, run: Run, chunks: Iterable[Chunk]
    ) -> Iterator[tuple[StoredMember, Generator[Chunk]]]:
        """Give each member of a run, whose bytes are there already, with its checked bytes."""
        if len(run.members) == 1:
            yield run.members[0], self.content(run.members[0], chunks)
            return
        fetched = memoryview(b"".join(chunks))
        for member in run.members:
            record = member.record
            raw = fetched[record.offset - run.start : record.end - run.start]
            yield member, self.content(member, [raw])

    def content(self, member: StoredMember, raw: Iterable[Chunk]) -> Generator[Chunk]:
        """Give a member's plain bytes out of what stands in its place (see `content`)."""
        return opened_content(
            member.record, raw, password=self.password, sha256=member.entry.sha256
        )


def open_archive(view: View, *, password: str | None, zone: tzinfo) -> OpenArchive:
    """Read the directory and the manifest, within hidden names too; nothing else is fetched.

    Raises:
        DamagedError: either is damaged, or the names are such that no honest archive has them.
        WrongPasswordError: the password is another one.
        DestinationError: as the destination says.
    """
    view, records = _unsealed(view, password)
    named = {record.name: record for record in records}
    stored = named.get(MANIFEST_PATH.encode())
    if stored is None:
        if any(path.encode() in named for path in RESTORE_PATHS) or any(map(_is_ours, named)):
            raise DamagedError("The archive was made by backupd, and has lost its manifest.")
        return _by_directory(view, records, password, zone)
    raw = view.stream(stored.offset, stored.end - stored.offset)
    try:
        manifest = parse_manifest(content(stored, raw, password=password))
    except WrongPasswordError as error:
        if not password or not _opens_others(view, records, password):
            raise
        raise DamagedError(f"The archive's manifest is damaged: {error}") from error
    return _by_manifest(view, records, manifest, password)


def _unsealed(view: View, password: str | None) -> tuple[View, Sequence[Record]]:
    """Read the directory, and that of the archive inside if names are hidden."""
    records = read_directory(view)
    if sealed := sealed_record(records):
        from backupd.archive.unsealed import unseal  # noqa: PLC0415  (slow to import)

        view = unseal(view, sealed, password)
        records = read_directory(view)
    return view, records


def _is_ours(name: bytes) -> bool:
    return name.startswith(MANIFEST_PATH.partition("/")[0].encode() + b"/")


def _opens_others(view: View, records: Sequence[Record], password: str) -> bool:
    """Try a password on the few smallest members, of which some may be damaged."""
    encrypted = [record for record in records if record.encrypted and record.path != MANIFEST_PATH]
    for record in sorted(encrypted, key=lambda record: record.compressed_size)[:_TRIED]:
        raw = view.stream(record.offset, record.end - record.offset)
        try:
            for _ in content(record, raw, password=password):
                pass
        except (WrongPasswordError, DamagedError):
            continue
        return True
    return False


def open_without_manifest(view: View, *, password: str | None, zone: tzinfo) -> OpenArchive:
    """Read the directory only, for an archive whose manifest is damaged (see `open_archive`)."""
    view, records = _unsealed(view, password)
    return _by_directory(view, records, password, zone)


def _by_directory(
    view: View, records: Sequence[Record], password: str | None, zone: tzinfo
) -> OpenArchive:
    own = tuple(record for record in records if record.path == MANIFEST_PATH)
    members = tuple(
        StoredMember(entry=entry_of_record(record, zone), record=record)
        for record in records
        if record.path != MANIFEST_PATH
    )
    refuse_unsafe_paths([member.entry for member in members])
    encrypted = any(record.encrypted for record in records)
    if encrypted and not (password and _opens_others(view, records, password)):
        reason = "with another password" if password else "and no password is set"
        raise WrongPasswordError(f"The archive is encrypted {reason}.")
    return OpenArchive(view=view, password=password, members=members, own=own, manifest=None)


def _by_manifest(
    view: View, records: Sequence[Record], manifest: Manifest, password: str | None
) -> OpenArchive:
    refuse_odd_values(manifest.entries)
    refuse_unsafe_paths(manifest.entries)
    entries = {_stored_name(entry): entry for entry in manifest.entries}
    if len(entries) != len(manifest.entries):
        twice = Counter(map(_stored_name, manifest.entries)).most_common(1)[0][0]
        raise DamagedError(f"The manifest names {os.fsdecode(twice)!r} twice.")
    members, own, flaws = [], [], []
    for record in records:
        entry = entries.pop(record.name, None)
        if entry is not None and _agree(entry, record):
            members.append(StoredMember(entry=entry, record=record))
        elif entry is not None:
            flaws.append(Flaw(path=entry.path, what="its size is not the one in the manifest"))
        elif record.path == MANIFEST_PATH or record.path in RESTORE_PATHS:
            own.append(record)
        else:
            flaws.append(Flaw(path=record.path, what="the manifest does not name it"))
    flaws += [Flaw(path=entry.path, what="it is missing") for entry in entries.values()]
    return OpenArchive(
        view=view,
        password=password,
        members=tuple(members),
        own=tuple(own),
        manifest=manifest,
        flaws=tuple(flaws),
    )


def _stored_name(entry: ManifestEntry) -> bytes:
    ending = "/" if entry.kind is MemberKind.DIRECTORY else ""
    return (entry.path + ending).encode("utf-8", "surrogateescape")


def _agree(entry: ManifestEntry, record: Record) -> bool:
    return entry.size == record.size


def runs(members: Iterable[StoredMember], most_bytes: int = _RUN_BYTES) -> Iterator[Run]:
    """Join members that stand close together, so that small ones do not cost a request each.

    A run of more than `most_bytes` is one member.
    """
    gathered: list[StoredMember] = []
    start = end = 0
    for member in sorted(members, key=lambda member: member.record.offset):
        record = member.record
        fits = record.end - start <= most_bytes and len(gathered) < _RUN_MEMBERS
        if gathered and not (fits and record.offset - end <= _GAP_BYTES):
            yield Run(start=start, length=end - start, members=tuple(gathered))
            gathered = []
        if not gathered:
            start = record.offset
        gathered.append(member)
        end = record.end
    if gathered:
        yield Run(start=start, length=end - start, members=tuple(gathered))
