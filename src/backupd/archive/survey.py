"""What stands in the directory to restore into, compared with what is to be written there."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from backupd.archive.honesty import parents
from backupd.archive.reader import StoredMember
from backupd.archive.target import Places, Target, not_restored
from backupd.errors import RefusedError
from backupd.model import ManifestEntry, MemberKind

_BLOCK = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The members by what is to be done about them."""

    to_write: tuple[StoredMember, ...]
    unchanged: tuple[StoredMember, ...] = ()
    """They stand there already, by size and SHA-256 (without a manifest: size and time)."""
    in_the_way: tuple[str, ...] = ()
    """Paths where something else stands, which would be replaced."""
    folded: bool = False
    """Whether there are names that some file systems take for the same."""

    @property
    def bytes_to_write(self) -> int:
        """What the files will take up, in whole blocks."""
        blocks = (-(-member.entry.size // _BLOCK) for member in self.to_write)
        return sum(blocks) * _BLOCK


def survey(target: Target, members: Iterable[StoredMember]) -> Survey:
    """Compare, without writing anything.

    Raises:
        RefusedError: a link or a file stands where a directory must be, or the other way round.
        BackupdError: the system does not let it look.
    """
    wanted = tuple(members)
    folded = len({member.entry.path.casefold() for member in wanted}) < len(wanted)
    if _is_empty(target.root):
        return Survey(to_write=wanted, folded=folded)
    to_write, unchanged, in_the_way = [], [], []
    with target.opened() as places:
        for member in sorted(wanted, key=lambda member: member.entry.path):
            status = places.status(member.entry.path)
            if status is not None and _is_same(places, member.entry, status):
                unchanged.append(member)
                continue
            if status is not None:
                _refuse_other_kind(member.entry, status, target.root)
                if member.entry.kind is not MemberKind.DIRECTORY:
                    in_the_way.append(member.entry.path)
            to_write.append(member)
    return Survey(
        to_write=tuple(to_write),
        unchanged=tuple(unchanged),
        in_the_way=tuple(in_the_way),
        folded=folded,
    )


def _refuse_other_kind(entry: ManifestEntry, status: os.stat_result, root: Path) -> None:
    if stat.S_ISDIR(status.st_mode) is not (entry.kind is MemberKind.DIRECTORY):
        raise RefusedError(
            f"{root / entry.path} is a {entry.kind} in the backup and something else there.",
            hint="Move it away, or restore into another directory.",
        )


def _is_same(places: Places, entry: ManifestEntry, status: os.stat_result) -> bool:
    if entry.kind is MemberKind.DIRECTORY:
        return False
    if entry.kind is MemberKind.SYMLINK:
        return stat.S_ISLNK(status.st_mode) and places.link_target(entry.path) == entry.link_target
    if not stat.S_ISREG(status.st_mode) or status.st_size != entry.size:
        return False
    if not entry.sha256:
        return status.st_mtime_ns == entry.mtime_ns
    if status.st_nlink > 1 and not _is_dressed(entry, status):
        return False  # it has another name elsewhere, where nothing may change
    return places.sha256(entry.path) == entry.sha256


def _is_dressed(entry: ManifestEntry, status: os.stat_result) -> bool:
    there = (stat.S_IMODE(status.st_mode), status.st_mtime_ns, status.st_uid, status.st_gid)
    return there == (entry.mode, entry.mtime_ns, entry.uid, entry.gid)


def sweep(target: Target, members: Iterable[StoredMember]) -> None:
    """Remove what a run that was killed left half-written where these members go."""
    directories = {next(iter(parents(member.entry.path)), "") for member in members}
    with target.opened() as places:
        for path in sorted(directories):
            places.sweep(path)


def _is_empty(root: Path) -> bool:
    try:
        return not any(root.iterdir())
    except FileNotFoundError:
        return True
    except OSError as error:
        raise not_restored(error, root) from error


def free_bytes(path: Path) -> int:
    """Tell how much may be written at `path`, or where it would be made.

    Raises:
        BackupdError: that may not be looked at.
    """
    try:
        there = next(each for each in (path, *path.parents) if each.exists())
        status = os.statvfs(there)
    except OSError as error:
        raise not_restored(error, path) from error
    return status.f_bavail * status.f_frsize
