"""What can be taken over from the previous archive as the bytes that it already is.

A member is unchanged if the line that the previous manifest has for it starts as the one that
would be written now: same path, kind, size, times, mode, owner (by number and by name), inode and
link target. Three things are asked beyond that, and whatever fails them is read from the source:

- It must not have been written to in the last seconds before the previous run ("racily clean"):
  a second change within the same tick of the file system's clock would not show.
- It must not have changed while it was read.
- What stands in the previous archive must have the CRC-32 that was noted when it was written.

The previous archive as a whole is of no use if it cannot be opened with today's password, was
made with another level or layout, or if the last complete reading is too long ago.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from backupd.archive.deflate import Buffer, crc32
from backupd.archive.encoding import owner
from backupd.archive.lines import line_start, quoted
from backupd.archive.manifest import FORMAT, database_facts
from backupd.archive.previous import Previous
from backupd.errors import ArchiveError, WrongPasswordError
from backupd.model import DatabaseFacts, Member, MemberKind

_RACY_NS = 5 * 1_000_000_000
_NUMBER_BITS = 32
"""The lower bits of an index entry are a member's number, the rest is of its path's hash."""
_NUMBER = (1 << _NUMBER_BITS) - 1
_PATH_END = b', "kind": '
_CHECKSUM = b'"stored_crc32": '
_OWNERS = (b', "user": ', b', "group": ')


class Carried(NamedTuple):
    """A member that stands whole in the previous archive."""

    number: int
    line: bytes
    """Its line for the new manifest."""
    stored_crc32: int
    """What its bytes must have, or they are damaged."""
    size: int
    """Its plain bytes."""
    database: DatabaseFacts | None = None
    """What was noted of a dump, whose path has the time at which it was made."""


class RunCheck:
    """Looks at the bytes of members one behind the other; `damaged` are not what they should be."""

    def __init__(self, run: Sequence[Carried], lengths: Sequence[int]) -> None:
        self.damaged: list[int] = []
        """Their places in the run."""
        self._expected = [carried.stored_crc32 for carried in run]
        self._lengths = lengths
        self._at = 0
        self._left = lengths[0]
        self._crc = 0

    def __call__(self, data: Buffer) -> None:
        """Look at the next bytes."""
        view = memoryview(data)
        while view:
            part = view[: self._left]
            view = view[len(part) :]
            self._crc = crc32(part, self._crc)
            self._left -= len(part)
            if not self._left:
                self._end_member()

    def _end_member(self) -> None:
        if self._crc != self._expected[self._at]:
            self.damaged.append(self._at)
        self._at += 1
        self._crc = 0
        if self._at < len(self._lengths):
            self._left = self._lengths[self._at]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How an archive is made; members are only taken over between archives of one layout."""

    compression: str
    encrypted: bool
    names_hidden: bool
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """What an earlier archive's times are measured by."""

    now: datetime
    """An archive of a later time was made when the clock was ahead: it tells of no changes."""
    oldest_full: datetime
    """When everything must have been read since."""


def refusal(previous: Previous, layout: Layout, moments: Moments) -> str:
    """Say why nothing can be taken over; "" if something can."""
    head = previous.head
    if head["format"] != FORMAT:
        return "another version of backupd made the earlier archive"
    before = Layout(
        compression=head.get("compression", ""),
        encrypted=head["encrypted"],
        names_hidden=head.get("names_hidden", False),
        timezone=head["timezone"],
    )
    if before != layout:
        return "the archive's level, encryption or time zone changed"
    last_full = datetime.fromisoformat(head["full_at"])
    if max(last_full, datetime.fromisoformat(head["created_at"])) > moments.now:
        return "the earlier archive was made when the clock was ahead"
    if last_full < moments.oldest_full:
        return f"everything was last read on {last_full:%Y-%m-%d}"
    return ""


class Carrier:
    """Finds members in the previous archive; quickest if they come in the order that they had."""

    def __init__(self, previous: Previous) -> None:
        self.previous = previous
        self.full_at = datetime.fromisoformat(previous.head["full_at"])
        """When everything was last read from the source."""
        self._databases = tuple(map(database_facts, previous.head["databases"]))
        self._next = 0
        self._index: array[int] | None = None
        created_at = datetime.fromisoformat(previous.head["created_at"])
        self._racy_from = int(created_at.timestamp()) * 1_000_000_000 - _RACY_NS
        self._origin = f', "carried_from": {quoted(previous.head["archive"])}}}'.encode()

    def find(self, member: Member) -> Carried | None:
        """Return where an unchanged member stands, or None if it must be read.

        Its bytes have not been looked at: a `RunCheck` does that while they are copied.
        """
        if member.kind is MemberKind.DUMP:
            return self._find_dump(member)
        if not member.inode:
            return None
        start = _start(member)
        place = self._place(start[: start.index(_PATH_END) + len(_PATH_END)])
        if place is None:
            return None
        number, line = place
        self._next = number + 1
        rest = line[len(start) :]
        if (
            not line.startswith(start)
            or rest[:1] not in {b",", b"}"}
            or rest.startswith(_OWNERS)
            or member.ctime_ns >= self._racy_from
            or b'"changed_while_read"' in rest
        ):
            return None
        return self._carried(number, line, member.size or 0)

    def _find_dump(self, member: Member) -> Carried | None:
        """Find the dump of a database to which nothing was written since it was made."""
        now = member.database
        if now is None or not now.state:
            return None
        for facts in self._databases:
            if (facts.kind, facts.name, facts.state) == (now.kind, now.name, now.state):
                place = self._place(f'{{"path": {quoted(facts.path)}'.encode() + _PATH_END)
                if place:
                    carried = self._carried(*place, facts.dump_bytes)
                    return carried._replace(database=facts)
        return None

    def _carried(self, number: int, line: bytes, size: int) -> Carried:
        _, is_noted, rest = line.rpartition(_CHECKSUM)
        noted = rest.partition(b",")[0].rstrip(b"}") if is_noted else b"0"  # 0 is left out
        if b'"carried_from"' not in line:
            line = line[:-1] + self._origin
        return Carried(number, line, int(noted), size)

    def _place(self, path: bytes) -> tuple[int, bytes] | None:
        """Look for a path's line: at the place that follows the last one, then in the index."""
        if self._next < self.previous.count:
            line = self.previous.line(self._next)
            if line.startswith(path):
                return self._next, line
        if self._index is None:
            self._index = self._indexed()
        wanted = hash(path) & ~_NUMBER & (2**63 - 1)
        at = bisect_left(self._index, wanted)
        while at < len(self._index) and self._index[at] & ~_NUMBER == wanted:
            number = self._index[at] & _NUMBER
            line = self.previous.line(number)
            if line.startswith(path):
                return number, line
            at += 1
        return None

    def _indexed(self) -> "array[int]":
        return array(
            "q",
            sorted(
                hash(line[: line.index(_PATH_END) + len(_PATH_END)]) & ~_NUMBER & (2**63 - 1)
                | number
                for number, line in enumerate(self.previous.lines())
            ),
        )


def _start(member: Member) -> bytes:
    """Write how an unchanged member's line starts, the names of its owners included."""
    kind, size, known = str(member.kind), member.size or 0, member[2:10]
    start = line_start(member.path, kind, size, known, member.link_target)
    return (start + owner(member.uid, member.gid)).encode()


@contextmanager
def carrier(
    path: Path | None, password: str, folder: Path, layout: Layout, moments: Moments
) -> Iterator[tuple[Carrier | None, str]]:
    """Open the previous archive; give None, and why, if everything must be read."""
    if path is None:
        yield None, "there is no earlier archive to take from"
        return
    try:
        previous = Previous(path, password, folder)
    except WrongPasswordError:
        yield None, "the password changed"
        return
    except (ArchiveError, OSError) as error:
        yield None, f"the earlier archive cannot be used: {error}"
        return
    with previous:
        try:
            reason = refusal(previous, layout, moments)
            found = None if reason else Carrier(previous)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            found, reason = None, f"the earlier archive's manifest makes no sense: {error!r}"
        yield found, reason
