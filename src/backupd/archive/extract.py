"""Members out of an archive into a directory, several runs of them at once."""

import os
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event, Lock

from backupd.archive.content import Chunk
from backupd.archive.reader import OpenArchive, Run, StoredMember, runs
from backupd.archive.target import Places, Target
from backupd.errors import DamagedError
from backupd.model import MemberKind
from backupd.ports import Progress
from backupd.reports import Flaw


class _Stopped(Exception):  # noqa: N818  (never leaves this module)
    """Another thread failed, or the operation was interrupted."""


@dataclass(slots=True, kw_only=True)
class Extraction:
    """Restores members into a target; what was restored is known even when it fails half-way.

    Threads are enough: reading, decrypting, inflating, hashing and writing all release the
    interpreter's lock.
    """

    target: Target
    workers: int
    skip_damaged: bool
    on_progress: Progress
    done: set[str] = field(default_factory=set)
    """Paths of the members that are restored and checked."""
    flaws: list[Flaw] = field(default_factory=list)
    """Damaged members that were skipped."""
    _stopped: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)

    def extract(self, archive: OpenArchive, members: Sequence[StoredMember]) -> None:
        """Restore all members but directories, which are made as they are needed.

        Raises:
            DamagedError: a member is damaged, and damaged ones are not to be skipped.
            DestinationError: as the destination says.
            BackupdError: the target cannot be written.
        """
        self._stopped.clear()
        content = [member for member in members if member.entry.kind is not MemberKind.DIRECTORY]
        with ThreadPoolExecutor(self.workers, "restore") as pool:
            pending = [pool.submit(self._extract_run, archive, run) for run in runs(content)]
            try:
                wait(pending, return_when=FIRST_EXCEPTION)
            finally:
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
        for future in pending:
            if not future.cancelled():
                future.result()

    def _extract_run(self, archive: OpenArchive, run: Run) -> None:
        with self.target.opened() as places:
            for member, chunks in archive.read(run):
                if self._stopped.is_set():
                    return
                try:
                    self._write(places, member, chunks)
                except _Stopped:
                    return
                except DamagedError as error:
                    if not self.skip_damaged:
                        raise
                    self.flaws.append(Flaw(path=member.entry.path, what=error.what))
                else:
                    self.done.add(member.entry.path)

    def _write(self, places: Places, member: StoredMember, chunks: Generator[Chunk]) -> None:
        if member.entry.kind is MemberKind.SYMLINK:
            target = b"".join(chunks)
            places.write_link(member.entry, os.fsdecode(target))
            return
        places.write_file(member.entry, self._counted(chunks))

    def _counted(self, chunks: Generator[Chunk]) -> Generator[Chunk]:
        for chunk in chunks:
            if self._stopped.is_set():
                raise _Stopped
            yield chunk
            with self._lock:
                self.on_progress(len(chunk))
