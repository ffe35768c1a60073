"""Brings members of one backup from its copies: the nearest first, the next where one fails."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from backupd.archive.extract import Extraction
from backupd.archive.reader import OpenArchive, StoredMember, open_archive, open_without_manifest
from backupd.archive.view import ObjectView
from backupd.errors import BackupdError, DamagedError, DestinationError
from backupd.model import MemberKind
from backupd.words import plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How archives are read."""

    password: str | None = field(default=None, repr=False)
    zone: tzinfo
    """That of times in archives which another program made."""
    workers: int = 2
    skip_damaged: bool = False
    """Whether damaged members are left out, and the rest taken."""

    def open(self, copy: ObjectView) -> OpenArchive:
        """Open one copy.

        Raises:
            DamagedError: it is damaged; members that are plainly wrong count, unless damaged
                ones are to be skipped.
            WrongPasswordError, DestinationError: as they are.
        """
        archive = open_archive(copy, password=self.password, zone=self.zone)
        if archive.flaws and not self.skip_damaged:
            first = archive.flaws[0]
            raise DamagedError(
                f"{copy.key} at '{copy.destination.name}' is damaged: "
                f"{plural(len(archive.flaws), 'member')} not as its manifest says, {first.path!r} "
                f"the first ({first.what})."
            )
        return archive


class Copies:
    """The copies of one backup, of which each is asked at most once."""

    def __init__(self, copies: Sequence[ObjectView], reading: Reading) -> None:
        self._left = list(copies)
        self._all = tuple(copies)
        self._reading = reading
        self.notes: list[str] = []
        """Why a copy was given up, a sentence each."""

    def open_next(self) -> OpenArchive:
        """Open the next copy that can be opened.

        Raises:
            BackupdError: none can; it is what was wrong with the last one.
        """
        failure: BackupdError | None = None
        while self._left:
            copy = self._left.pop(0)
            try:
                return self._reading.open(copy)
            except (DamagedError, DestinationError) as error:
                failure = error
                self.notes.append(f"'{copy.destination.name}' was given up: {error}")
        if self._reading.skip_damaged and isinstance(failure, DamagedError):
            return self._without_manifest(failure)
        raise failure or DestinationError("No destination has a copy of it left to try.")

    def _without_manifest(self, failure: DamagedError) -> OpenArchive:
        for copy in self._all:
            try:
                reading = self._reading
                return open_without_manifest(copy, password=reading.password, zone=reading.zone)
            except (DamagedError, DestinationError):
                continue
        raise failure

    def retrieve(
        self, archive: OpenArchive, members: Sequence[StoredMember], extraction: Extraction
    ) -> None:
        """Restore the members from `archive`, and what it cannot give from the copies after it.

        Directories are not among what is retrieved.

        Raises:
            BackupdError: some members cannot be had anywhere; `extraction` knows which can.
        """
        wanted = {
            member.entry.path: member
            for member in members
            if member.entry.kind is not MemberKind.DIRECTORY
        }
        failure: BackupdError | None = None
        for source in self._sources(archive):
            at_hand = _at_hand(source, wanted)
            try:
                extraction.extract(source, at_hand)
            except (DamagedError, DestinationError) as error:
                failure = error
                self.notes.append(f"The copy at '{source.view.where}' was given up: {error}")
            wanted = {path: each for path, each in wanted.items() if path not in extraction.done}
            if not wanted:
                return
        skipped = {flaw.path for flaw in extraction.flaws}
        if missing := wanted.keys() - skipped:
            raise failure or DamagedError(f"No copy has {min(missing)!r} any more.")

    def _sources(self, archive: OpenArchive) -> Iterator[OpenArchive]:
        yield archive
        while self._left:
            try:
                yield self.open_next()
            except (DamagedError, DestinationError):
                return


def _at_hand(archive: OpenArchive, wanted: dict[str, StoredMember]) -> list[StoredMember]:
    """Find the wanted members in a copy, where they are the same by the manifest."""
    return [
        member
        for member in archive.members
        if member.entry.path in wanted and member.entry == wanted[member.entry.path].entry
    ]
