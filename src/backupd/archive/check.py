"""Reads an archive back and compares: every byte in one pass, or some runs of members."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from functools import partial
from queue import Queue
from threading import BoundedSemaphore, Lock

from backupd.archive.check_work import question
from backupd.archive.content import Chunk
from backupd.archive.foreign import entry_of_record
from backupd.archive.reader import OpenArchive, Run, StoredMember, runs
from backupd.archive.slots import CHUNK, Message, Slot, lay
from backupd.archive.workers import Request, Step, Workers
from backupd.errors import DamagedError
from backupd.ports import Progress
from backupd.reports import Flaw

_CHUNKS_AHEAD = 48
"""Chunks of 1 MiB that wait to be compared; so many that the other threads have work, too, while
one is at a large member."""


def checkers(count: int, password: str | None) -> Workers:
    """Start worker processes for `Check.everything`.

    Raises:
        ArchiveError: they cannot be started.
    """
    return Workers(count, ("check", password))


@dataclass(slots=True, kw_only=True)
class Check:
    """Compares members with the manifest; what is wrong is collected, nothing is raised for it.

    Without a manifest the ZIP's own checks are all there is.
    """

    archive: OpenArchive
    threads: int
    on_progress: Progress
    """Called with bytes of the archive, not of its content."""
    flaws: list[Flaw] = field(default_factory=list)
    members: int = 0
    content_bytes: int = 0
    _lock: Lock = field(default_factory=Lock)

    def everything(self, checkers: Workers | None) -> str:
        """Read the archive from its first byte to its last, once; return its SHA-256.

        Short runs are compared by `checkers`, long ones by threads, and all if there are none.

        Raises:
            ArchiveError: a worker died.
            DamagedError: an archive with hidden names is not what was encrypted.
            DestinationError: as the destination says.
        """
        digest = hashlib.sha256()
        line = _Line(_counted(self.archive.view.whole(digest.update), self.on_progress))
        # What is damaged as a whole is said when all that was read of it has been compared.
        with _threads(self.threads, self._check_run) as feed:
            if checkers is None:
                for run, chunks in self._runs(line):
                    feed(run, chunks)
            else:
                checkers.run(self._steps(line, feed))
        if line.damage:
            raise line.damage
        return digest.hexdigest()

    def _runs(self, line: "_Line") -> Iterator[tuple[Run, Iterator[Chunk]]]:
        """Give each run with its bytes, which are to be taken before the next."""
        own = [
            StoredMember(entry=entry_of_record(each, UTC), record=each) for each in self.archive.own
        ]
        for run in runs([*self.archive.members, *own], CHUNK):
            for _ in line.up_to(run.start):
                pass
            if line.damage:
                return
            yield run, line.up_to(run.start + run.length)
        line.finish()

    def _steps(self, line: "_Line", feed: "_Feed") -> Iterator[Step]:
        for run, chunks in self._runs(line):
            if run.length <= CHUNK:
                yield Request(ask=partial(_ask, run, chunks), take=partial(self._take, run))
            else:
                feed(run, chunks)

    def _take(self, run: Run, _slot: Slot, _encoded: memoryview, answer: Message) -> None:
        good, size, flaws = answer
        named = [Flaw(path=run.members[number].entry.path, what=what) for number, what in flaws]
        self._add(good, size, named)

    def _add(self, members: int, size: int, flaws: list[Flaw]) -> None:
        with self._lock:
            self.members += members
            self.content_bytes += size
            self.flaws += flaws

    def some(self, chosen: Sequence[Run]) -> None:
        """Fetch and compare these runs only.

        Raises:
            DestinationError: as the destination says.
        """
        with ThreadPoolExecutor(self.threads, "verify") as pool:
            pending = [pool.submit(self._fetch_run, run) for run in chosen]
            try:
                for future in pending:
                    future.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _fetch_run(self, run: Run) -> None:
        self._check_run(run, self.archive.view.stream(run.start, run.length))
        with self._lock:
            self.on_progress(run.length)

    def _check_run(self, run: Run, chunks: Iterator[Chunk]) -> None:
        """Compare each member; always take all chunks, for somebody waits to get rid of them."""
        members, size, flaws = 0, 0, []
        try:
            for member, content in self.archive.cut(run, chunks):
                try:
                    size += sum(map(len, content))
                    members += 1
                except DamagedError as error:
                    flaws.append(Flaw(path=member.entry.path, what=error.what))
        finally:
            for _ in chunks:
                pass
        self._add(members, size, flaws)


class _Line:
    """The archive's bytes in one line."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = memoryview(b"")
        self._position = 0
        self.damage: DamagedError | None = None
        """Why there is no more."""

    def up_to(self, end: int) -> Iterator[memoryview]:
        """Give what comes before position `end`."""
        while self._position < end:
            if not self._held:
                held = self._next()
                if held is None:
                    return
                self._held = memoryview(held)
            part = self._held[: end - self._position]
            self._held = self._held[len(part) :]
            self._position += len(part)
            yield part

    def finish(self) -> None:
        """Take what is left."""
        while self._next() is not None:
            pass

    def _next(self) -> bytes | None:
        try:
            return next(self._chunks, None)
        except DamagedError as error:
            self.damage = error
            return None


def _counted(chunks: Iterator[bytes], on_progress: Progress) -> Iterator[bytes]:
    for chunk in chunks:
        on_progress(len(chunk))
        yield chunk


def _ask(run: Run, chunks: Iterator[Chunk], slot: Slot) -> Message:
    lay(chunks, slot.plain)
    return question(run)


_Feed = Callable[[Run, Iterator[Chunk]], None]


@contextmanager
def _threads(count: int, check: _Feed) -> Iterator[_Feed]:
    """Give what hands a run and its bytes to a thread; all are checked when the block ends."""
    room = BoundedSemaphore(_CHUNKS_AHEAD)
    pending: list[Future[None]] = []

    def feed(run: Run, chunks: Iterator[Chunk]) -> None:
        fed: Queue[Chunk | None] = Queue()
        try:
            pending.append(pool.submit(check, run, _until_none(fed, room)))
            for chunk in chunks:
                room.acquire()
                fed.put(chunk)
        finally:
            fed.put(None)

    with ThreadPoolExecutor(count, "verify") as pool:
        yield feed
    for future in pending:
        future.result()


def _until_none(queue: "Queue[Chunk | None]", room: BoundedSemaphore) -> Iterator[Chunk]:
    while (chunk := queue.get()) is not None:
        room.release()
        yield chunk
