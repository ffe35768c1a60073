"""The steps by which members become an archive: small ones in batches, large ones in chunks."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from backupd.archive.carry import Carried, Carrier, Layout, RunCheck
from backupd.archive.chunked import ChunkedMember
from backupd.archive.encoding import Encoded, Encoder, manifest_line
from backupd.archive.ledger import Ledger
from backupd.archive.lines import LINE_END
from backupd.archive.manifest import MANIFEST_PATH, manifest_frame
from backupd.archive.output import Output, UnreadableError
from backupd.archive.paths import Paths
from backupd.archive.reading import Columns, Reading, own_reading, readings
from backupd.archive.records import SALT_BYTES
from backupd.archive.restore_text import RESTORE_PATHS, restore_text
from backupd.archive.slots import BATCH, Message, Slot, weight
from backupd.archive.workers import Request, Step
from backupd.errors import DumpError
from backupd.model import (
    ArchiveHeader,
    DatabaseFacts,
    Member,
    MemberKind,
    Omission,
    OmissionReason,
)
from backupd.ports import Progress

_LONGEST_RUN = 2048
_VANISHED = (FileNotFoundError, NotADirectoryError)
_KIND, _SIZE, _SALT = map(Reading._fields.index, ("kind", "size", "salt"))
_DIRECTORY, _DUMP = MemberKind.DIRECTORY, MemberKind.DUMP


@dataclass(slots=True, kw_only=True)
class Build:
    """An archive in the making: what is done for each member, and what is noted of it."""

    header: ArchiveHeader
    encoder: Encoder
    new_salt: Callable[[int], bytes]
    output: Output
    ledger: Ledger
    on_progress: Progress
    layout: Layout
    carrier: Carrier | None = None
    """Finds what need not be read again."""
    left_out: list[Omission] = field(default_factory=list)
    """What a source did not give."""
    unread: list[Omission] = field(default_factory=list)
    """What could not be read."""
    databases: list[DatabaseFacts] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    members: int = 0
    carried: int = 0
    content_bytes: int = 0
    _again: list[Member] = field(default_factory=list)
    _paths: Paths = field(default_factory=Paths)
    _dumps: list[str] = field(default_factory=list)

    @property
    def omissions(self) -> list[Omission]:
        """What is not in the archive, and why; in the same order for the same tree."""
        return self.left_out + self.unread

    def steps(self, items: Iterable[Member | Omission]) -> Iterator[Step]:
        """Write the members, of several with one path the first; note what a source leaves out."""
        members = self._first_of_each_path(items)
        return self.ledger.among(self._steps(members, last_try=False))

    def steps_again(self) -> Iterator[Step]:
        """Write the files that changed while they were read, as they are now."""
        return self.ledger.among(self._steps(map(_looked_at_again, self._again), last_try=True))

    def _first_of_each_path(self, items: Iterable[Member | Omission]) -> Iterator[Member]:
        for item in items:
            if isinstance(item, Omission):
                self.left_out.append(item)
            elif self._paths.take(item.path, is_directory=item.kind is MemberKind.DIRECTORY):
                yield item
            elif item.kind is not _DIRECTORY or not self._paths.has_directory(item.path):
                taken = Omission(path=item.path, reason=OmissionReason.NAME_TAKEN)
                self.left_out.append(taken)

    def _steps(self, members: Iterable[Member], *, last_try: bool) -> Iterator[Step]:
        batch: list[Member] = []
        run: list[tuple[Member, Carried]] = []
        room = BATCH
        carrier = None if last_try else self.carrier
        for member in members:
            carried = self._carried(carrier, member) if carrier else None
            if run and (
                carried is None
                or carried.number != run[-1][1].number + 1
                or len(run) == _LONGEST_RUN
            ):
                yield partial(self._take_run, run)
                run = []
            names = len(member.path) + len(member.origin) + len(member.link_target)
            needed = weight(member.size or 0, names)
            chunked = member.stream is not None or needed > BATCH
            if batch and (carried or chunked or needed > room):
                yield self._batch(batch, last_try=last_try)
                batch, room = [], BATCH
            if carried:
                run.append((member, carried))
            elif chunked:
                yield from self._chunked(member, last_try=last_try)
            else:
                batch.append(member)
                room -= needed
        if run:
            yield partial(self._take_run, run)
        if batch:
            yield self._batch(batch, last_try=last_try)

    def _carried(self, carrier: Carrier, member: Member) -> Carried | None:
        """Find a member in the previous archive; a dump keeps its path there, if that is free."""
        carried = carrier.find(member)
        if carried and carried.database and carried.database.path != member.path:
            return carried if self._paths.take(carried.database.path) else None
        return carried

    def _take_run(self, run: list[tuple[Member, Carried]]) -> None:
        """Take over members that stand one behind the other in the previous archive."""
        if self.carrier is None:
            return
        previous, base = self.carrier.previous, self.output.position
        first, last = run[0][1].number, run[-1][1].number
        check = RunCheck([carried for _, carried in run], previous.lengths(first, last))
        take_back = self.output.mark()
        try:
            self.output.copy(previous.file, *previous.extent(first, last), check)
            damaged = check.damaged
        except UnreadableError:
            damaged = list(range(len(run)))
        if damaged:
            take_back()
            self._read_instead(run, damaged)
            return
        self.ledger.note_records(base, *previous.records(first, last))
        self.ledger.note_lines(LINE_END.join(carried.line for _, carried in run))
        for _, each in run:
            if each.database:
                self._dumps.append(each.database.path)
                self.databases.append(each.database)
        content = sum(each.size for _, each in run)
        self.members += len(run)
        self.carried += len(run)
        self.content_bytes += content
        self.on_progress(content)

    def _read_instead(self, run: list[tuple[Member, Carried]], damaged: list[int]) -> None:
        """Have the damaged members read from the source, at the end; take over the others."""
        self._again += [run[index][0] for index in damaged]
        for start, end in pairwise([-1, *damaged, len(run)]):
            if start + 1 < end:
                self._take_run(run[start + 1 : end])

    def _batch(self, members: list[Member], *, last_try: bool) -> Request:
        def ask(_: Slot) -> Message:
            return "batch", self._columns(members), last_try

        return Request(ask=ask, take=partial(self._take_batch, members))

    def _columns(self, members: Sequence[Member]) -> Columns:
        """Describe members for workers, each with a salt if it is to be encrypted."""
        columns: Columns = list(zip(*members, strict=True))[:_SALT]
        columns[_KIND] = tuple(map(str, columns[_KIND]))  # `marshal` takes no enum
        if None in columns[_SIZE]:
            columns[_SIZE] = tuple(size or 0 for size in columns[_SIZE])
        salts: tuple[bytes, ...] = (b"",) * len(members)
        if self.encoder.password:
            kinds = columns[_KIND]
            salts = tuple(
                b"" if kind == _DIRECTORY else self.new_salt(SALT_BYTES) for kind in kinds
            )
        columns.append(salts)
        return columns

    def _take_batch(
        self, members: list[Member], _: Slot, encoded: memoryview, answer: Message
    ) -> None:
        facts = Encoded._make(answer)
        base = self.output.position
        self.output.write(encoded)
        if facts.written:
            self.ledger.note_records(base, facts.centrals, facts.starts, facts.offsets)
            self.ledger.note_lines(facts.lines)
        self.members += len(facts.written)
        for index in facts.written:
            if members[index].kind is _DUMP:
                self._note_dump(members[index], members[index].size or 0)
        for index, number, reason in facts.omitted:
            self._omit(members[index], OSError(number, reason))
        self._again += [members[index] for index in facts.again]
        self.changed += [members[index].path for index in facts.changed]
        self.content_bytes += facts.content_bytes
        self.on_progress(facts.content_bytes)

    def _chunked(self, member: Member, *, last_try: bool) -> Iterator[Step]:
        (reading,) = readings(self._columns([member]))
        chunked = ChunkedMember(reading, self.output, self.encoder, self.on_progress)
        if member.stream is None:
            yield from chunked.file_steps()
        else:
            yield from chunked.dump_steps(member)
        yield partial(self._take_chunked, member, chunked, last_try=last_try)

    def _take_chunked(self, member: Member, chunked: ChunkedMember, *, last_try: bool) -> None:
        if chunked.failure:
            self._omit(member, chunked.failure)
        elif chunked.changed and not last_try:
            chunked.take_back()
            self._again.append(member)
        else:
            self.ledger.note_record(chunked.central, chunked.offset)
            self.ledger.note_lines(
                manifest_line(
                    chunked.reading,
                    chunked.known,
                    chunked.size,
                    chunked.sha256,
                    chunked.stored_crc32,
                    changed=chunked.changed,
                )
            )
            self.members += 1
            if member.kind is _DUMP:
                self._note_dump(member, chunked.size)
            self.content_bytes += chunked.size
            if chunked.changed:
                self.changed.append(member.path)

    def _note_dump(self, member: Member, size: int) -> None:
        self._dumps.append(member.path)
        if member.database:
            facts = member.facts() if member.facts else member.database
            self.databases.append(replace(facts, dump_bytes=size, path=member.path))

    def _omit(self, member: Member, error: OSError | DumpError) -> None:
        if isinstance(error, DumpError):
            failed, detail = OmissionReason.DUMP_FAILED, f"{error} {error.hint}"
            self.unread.append(Omission(path=member.path, reason=failed, detail=detail))
            return
        vanished = isinstance(error, _VANISHED)
        self.unread.append(
            Omission(
                path=member.path,
                reason=OmissionReason.VANISHED if vanished else OmissionReason.UNREADABLE,
                detail=error.strerror or str(error),
                harmless=vanished or member.optional,
            )
        )

    def own_steps(self) -> Iterator[Step]:
        """Write what backupd adds, which the manifest does not name."""
        directory_crc32 = self.ledger.directory_crc32
        yield from self.ledger.line_steps(rest=True)
        path = next(path for path in RESTORE_PATHS if path not in self._paths)
        text = restore_text(self.header, self._dumps, encrypted=self.layout.encrypted, path=path)
        own = self._own(path)
        yield from own.stream_steps(iter([text.encode()]))
        yield partial(self._note_own, own)
        full_at = self.carrier.full_at if self.carrier else self.header.created_at
        start, end = manifest_frame(
            self.header,
            encrypted=self.layout.encrypted,
            directory_crc32=directory_crc32,
            databases=self.databases,
            omissions=self.omissions,
            compression=self.layout.compression,
            names_hidden=self.layout.names_hidden,
            full_at=full_at.isoformat(),
        )
        own = self._own(MANIFEST_PATH)
        yield from own.around_steps(start, self.ledger, end)
        yield partial(self._note_own, own)

    def _own(self, path: str) -> ChunkedMember:
        salt = self.new_salt(SALT_BYTES) if self.encoder.password else b""
        reading = own_reading(path, self.header.created_at, salt)
        return ChunkedMember(reading, self.output, self.encoder, lambda _: None)

    def _note_own(self, own: ChunkedMember) -> None:
        self.ledger.note_record(own.central, own.offset)


def _looked_at_again(member: Member) -> Member:
    """Note the size that a file has by now; if it is gone, reading it will tell."""
    if member.kind is not MemberKind.FILE:
        return member
    try:
        return member._replace(size=Path(member.origin).stat().st_size)
    except OSError:
        return member
