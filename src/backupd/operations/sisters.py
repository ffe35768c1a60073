"""What a destination lacks and the spool has not: which sister has it, and how it comes here."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from backupd.archive.ending import has_its_end
from backupd.errors import ArchiveError
from backupd.events import Progressed
from backupd.model import Scope, SpooledArchive
from backupd.naming import checksum_key
from backupd.operations.copying import Standing, Wanted, as_backups
from backupd.ports import Destination, Observer
from backupd.spool import Spool

_CHECKSUM_LINE = re.compile(r"([0-9a-f]{64})  ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One archive, the destinations that hold it, and those that should."""

    key: str
    created_at: datetime
    scope: Scope
    pinned: bool
    holders: Mapping[str, int]
    """The size of each one's copy; those that have its checksum come first."""
    lacking: tuple[str, ...]


def gaps(
    standings: Mapping[str, Standing], spooled: Collection[str], wanted: Wanted, spool: Spool
) -> list[Gap]:
    """Find what some reachable destination lacks and another has, the oldest first.

    What retention would not keep there is not lacking, and what is `spooled` was delivered or
    failed already.
    """
    holds = {name: each.holds for name, each in standings.items() if each.holds is not None}
    everything: dict[str, int] = {}
    for held in holds.values():
        everything |= {key: max(size, everything.get(key, 0)) for key, size in held.items()}
    lacking: dict[str, list[str]] = {}
    for name, held in holds.items():
        if not standings[name].down:
            for key in wanted(as_backups(everything, name, spool)):
                if key not in held and key not in spooled:
                    lacking.setdefault(key, []).append(name)
    found = [
        Gap(
            key=backup.key,
            created_at=backup.created_at,
            scope=backup.scope,
            pinned=backup.pinned,
            holders=_holders(backup.key, holds),
            lacking=tuple(lacking[backup.key]),
        )
        for backup in as_backups(everything, "", spool)
        if backup.key in lacking
    ]
    return sorted(found, key=lambda gap: (gap.created_at, gap.key))


def _holders(key: str, holds: Mapping[str, Mapping[str, int]]) -> Mapping[str, int]:
    beside = checksum_key(key)
    best_first = sorted(holds.items(), key=lambda each: beside not in each[1])
    return {name: held[key] for name, held in best_first if key in held}


def fetch(gap: Gap, sister: Destination, spool: Spool, observe: Observer) -> SpooledArchive:
    """Bring an archive from a sister into the spool, checked against its checksum object.

    Where there is none, it must have its end, and is not certified.

    Raises:
        DestinationError: the sister cannot give it.
        ArchiveError: there is no room for it, or the sister's copy is damaged.
    """
    size, sha256 = gap.holders[sister.name], _known_digest(gap.key, sister)
    if not sha256 and not has_its_end(sister, gap.key, size):
        raise ArchiveError(
            f"The copy of {gap.key} at '{sister.name}' is cut short; nobody else gets it.",
            hint=f"Run 'backupd verify {gap.key}'; if no copy is whole, remove those that are not.",
        )
    wanted = SpooledArchive(
        name=gap.key,
        path=spool.path / gap.key,
        size=size,
        sha256=sha256,
        scope=gap.scope,
        pinned=gap.pinned,
        certified=bool(sha256),
    )
    return spool.take_in(wanted, _told(wanted, sister, observe))


def _known_digest(key: str, sister: Destination) -> str:
    """Read the checksum beside an archive; "" if there is none, as beside laravel-backup's."""
    beside = checksum_key(key)
    if not any(stored.key == beside for stored in sister.list(beside)):
        return ""
    text = b"".join(sister.read(beside)).decode(errors="replace")
    match = _CHECKSUM_LINE.match(text)
    return match[1] if match else ""


def _told(wanted: SpooledArchive, sister: Destination, observe: Observer) -> Iterator[bytes]:
    done = 0
    for chunk in sister.read(wanted.name):
        done += len(chunk)
        observe(Progressed(phase=f"fetching from {sister.name}", done=done, total=wanted.size))
        yield chunk
