"""The file tree as members: a sorted walk that names what it cannot take."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from backupd.errors import SourceError
from backupd.model import Member, MemberKind, Omission, OmissionReason
from backupd.sources.exclude import Excluder


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTree:
    """The files under `root` that `include` names and `exclude` does not.

    Symbolic links are kept as links unless `follow_symlinks`; empty directories are kept;
    sockets, fifos and devices are named as harmless omissions. `never` are files and directories
    that are left out whatever the patterns say: the spool, local destinations, live databases.
    Raises SourceError when an included path is missing or nothing is selected.
    """

    root: Path
    include: Sequence[str] = (".",)
    exclude: Sequence[str] = ()
    follow_symlinks: bool = False
    ignore_unreadable: bool = False
    one_file_system: bool = False
    never: Sequence[Path] = ()
    name: str = "files"

    def members(self) -> Iterator[Member | Omission]:
        """Walk every included path, in the order of the members' names."""
        items = chain.from_iterable(map(_Walk(self).below, self._starts()))
        for item in items:
            yield item
            if isinstance(item, Member):
                break
        else:
            raise SourceError(
                f"Nothing is selected for backup under {self.root}.",
                hint="Check BACKUP_SOURCE__INCLUDE and BACKUP_SOURCE__EXCLUDE.",
            )
        yield from items

    def _starts(self) -> list[str]:
        """Give the included paths, real and sorted, without those that lie inside another."""
        root = os.path.realpath(self.root)
        if _is_missing(root) or not stat.S_ISDIR(_status(root, follow_symlinks=True).st_mode):
            raise SourceError(
                f"The directory {self.root} to back up does not exist.",
                hint="Set BACKUP_SOURCE__ROOT to the application's directory.",
            )
        starts = set()
        for included in self.include:
            path = os.path.normpath(Path(root) / included)
            if _is_missing(path):
                raise SourceError(
                    f"{included} is to be backed up, but {path} does not exist.",
                    hint="Correct BACKUP_SOURCE__INCLUDE, or create what it names.",
                )
            starts.add(path)
        outer: list[str] = []
        for path in sorted(starts, key=lambda path: path.split("/")):
            if not outer or not f"{path}/".startswith(outer[-1].rstrip("/") + "/"):
                outer.append(path)
        return sorted(outer, key=lambda path: _member_path(path, root))


def _member_path(path: str, root: str) -> str:
    """Name a path inside the archive: relative to the root, or absolute without its `/`."""
    if path == root:
        return ""
    prefix = root.rstrip("/") + "/"
    return path.removeprefix(prefix) if path.startswith(prefix) else path.lstrip("/")


class _Place(NamedTuple):
    """Where the walk stands: one thing, and the directory that it was found in."""

    location: str
    path: str
    status: os.stat_result
    parent: "_Place | None"

    def is_below(self, status: os.stat_result) -> bool:
        """Tell whether one of the directories that lead here is the one of `status`."""
        place: _Place | None = self
        while place is not None:
            if os.path.samestat(place.status, status):
                return True
            place = place.parent
        return False


_Found = tuple[Member | Omission | None, _Place | None]
"""What there is to be said of one thing, and, if it is a directory, where the walk goes on."""


class _Walk:
    """One walk through a file tree; it remembers which parents it has already given."""

    def __init__(self, tree: FileTree) -> None:
        self.tree = tree
        self.root = os.path.realpath(tree.root)
        self.excluder = Excluder(tree.exclude)
        self.never = frozenset(map(os.path.realpath, tree.never))
        self.never_behind_links = set(_identities(self.never)) if tree.follow_symlinks else set()
        self.parents_given: set[str] = set()

    def below(self, start: str) -> Iterator[Member | Omission]:
        """Give an included path, the directories that lead to it, and all that is below it."""
        path = _member_path(start, self.root)
        yield from self._parents(start, path)
        first = _Place(start, path, _status(start), None)
        levels = [iter([self._looked_at(*first)])]
        while levels:
            for item, directory in levels[-1]:
                if item:
                    yield item
                if directory and self._may_enter(directory, first):
                    levels.append(self._children(directory))
                    break
            else:
                levels.pop()

    def _parents(self, start: str, path: str) -> Iterator[Member]:
        base = start.removesuffix(path)
        for index, letter in enumerate(path):
            parent = path[:index]
            if letter == "/" and parent not in self.parents_given:
                self.parents_given.add(parent)
                status = _status(base + parent, follow_symlinks=True)
                yield _member(base + parent, parent, status, MemberKind.DIRECTORY)

    def _children(self, directory: _Place) -> Iterator[_Found]:
        try:
            names = sorted(os.listdir(directory.location))
        except OSError as error:
            yield self._omission(directory.path or directory.location, error), None
            return
        base = directory.location.rstrip("/") + "/"
        above = f"{directory.path}/" if directory.path else ""
        for name in names:
            location, path = base + name, above + name
            try:
                status = os.lstat(location)
            except OSError as error:
                yield self._omission(path, error), None
                continue
            if self.tree.follow_symlinks and stat.S_ISLNK(status.st_mode):
                status = _followed(location, status, directory)
            yield self._looked_at(location, path, status, directory)

    def _looked_at(
        self, location: str, path: str, status: os.stat_result, parent: _Place | None
    ) -> _Found:
        is_directory = stat.S_ISDIR(status.st_mode)
        if location in self.never or (
            self.never_behind_links and (status.st_dev, status.st_ino) in self.never_behind_links
        ):
            return None, None
        if path and self.excluder.excludes(path, is_directory=is_directory):
            return None, None
        directory = _Place(location, path, status, parent) if is_directory else None
        return self._item(location, path, status) if path else None, directory

    def _may_enter(self, place: _Place, first: _Place) -> bool:
        return not self.tree.one_file_system or place.status.st_dev == first.status.st_dev

    def _item(self, location: str, path: str, status: os.stat_result) -> Member | Omission:
        if stat.S_ISREG(status.st_mode):
            member = _member(location, path, status, MemberKind.FILE)
            return member._replace(optional=True) if self.tree.ignore_unreadable else member
        if stat.S_ISDIR(status.st_mode):
            return _member(location, path, status, MemberKind.DIRECTORY)
        if stat.S_ISLNK(status.st_mode):
            try:
                target = os.readlink(location)
            except OSError as error:
                return self._omission(path, error)
            return _member(location, path, status, MemberKind.SYMLINK, target)
        return Omission(path=path, reason=OmissionReason.SPECIAL, harmless=True)

    def _omission(self, path: str, error: OSError) -> Omission:
        detail = error.strerror or str(error)
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return Omission(path=path, reason=OmissionReason.VANISHED, detail=detail, harmless=True)
        too_long = error.errno == errno.ENAMETOOLONG
        return Omission(
            path=path,
            reason=OmissionReason.TOO_LONG if too_long else OmissionReason.UNREADABLE,
            detail=detail,
            harmless=self.tree.ignore_unreadable,
        )


def _is_missing(path: str) -> bool:
    """Tell whether nothing is there, not even a link; what may not be looked at is not missing."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _status(path: str, *, follow_symlinks: bool = False) -> os.stat_result:
    try:
        return os.stat(path, follow_symlinks=follow_symlinks)
    except OSError as error:
        raise SourceError(
            f"{path} is to be backed up and cannot be read: {error.strerror}.",
            hint="Correct BACKUP_SOURCE__INCLUDE, or make what it names readable.",
        ) from error


def _identities(paths: Iterable[str]) -> Iterator[tuple[int, int]]:
    for path in paths:
        with suppress(OSError):
            status = os.stat(path)
            yield status.st_dev, status.st_ino


def _followed(location: str, link: os.stat_result, directory: _Place) -> os.stat_result:
    """Look through a link, but not through one that dangles or leads back to above itself."""
    try:
        target = os.stat(location)
    except OSError:
        return link
    return link if directory.is_below(target) else target


def _member(
    location: str, path: str, status: os.stat_result, kind: MemberKind, target: str = ""
) -> Member:
    """Describe what was found (by place and not by name, which takes half as long again)."""
    return Member(
        path,
        kind,
        status.st_mtime_ns,
        stat.S_IMODE(status.st_mode),
        status.st_size if kind is MemberKind.FILE else len(os.fsencode(target)),
        status.st_uid,
        status.st_gid,
        status.st_ctime_ns,
        status.st_ino,
        status.st_dev,
        target,
        location,
    )
