"""Staged members take the places of live ones; killed at any moment, it can be undone.

A workspace is a directory `.backupd-restore-<time>` on the live files' own file system: in `new`
stands what was restored, in `old` what it replaced. A step is one rename, so where a file stands
tells how far the swap has come, and no step needs to be written down:

    in new, not in old    nothing was done for this member
    in new, and in old    the live file has been moved aside
    not in new            the restored file has taken its place

Undoing follows the same table backwards. The journal names the members; it is there from before
the first step until the last, and while it is, nothing is taken out of a workspace: what is gone
from `new` would pass for what has taken its place.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from backupd.archive.target import Places, Target
from backupd.durable import sync_directory
from backupd.errors import BackupdError
from backupd.model import ManifestEntry, MemberKind

PREFIX = ".backupd-restore-"
_JOURNAL = "journal.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A live directory on one file system, and the members that belong below it."""

    location: Path
    prefix: str = ""
    """What `location` is called in the archive."""
    included: str = ""
    """The members are this one and all below it; "" for all."""

    def relative(self, path: str) -> str:
        """Give a member's path below `location`."""
        return path.removeprefix(f"{self.prefix}/") if self.prefix else path

    def holds(self, path: str) -> bool:
        """Tell whether a member belongs here."""
        within = path == self.included or path.startswith(f"{self.included}/")
        return not self.included or (within and path != self.prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The staged and the replaced members of one base."""

    base: Base
    folder: Path

    @property
    def new(self) -> Target:
        """Where members are restored to before they take their places."""
        return Target(root=self.folder / "new", overwrite=True)

    @property
    def old(self) -> Target:
        """Where replaced files wait until all has ended well."""
        return Target(root=self.folder / "old")

    def swap(
        self,
        entries: Sequence[ManifestEntry],
        known: Sequence[ManifestEntry],
        on_step: Callable[[], None],
    ) -> None:
        """Move every live file aside and its staged one in; directories are made, then dressed.

        `known` are all directories of the archive, which say how a missing one is to be made.

        Raises:
            BackupdError: the system refused; `undo` puts everything back.
        """
        directories = [entry for entry in entries if entry.kind is MemberKind.DIRECTORY]
        with self._opened(known) as (live, new, old):
            for entry in directories:
                live.make_directory(self.base.relative(entry.path))
            for entry in _content(entries):
                place = self.base.relative(entry.path)
                on_step()
                if live.status(place) is not None:
                    live.move(place, old, entry.path)
                    on_step()
                new.move(entry.path, live, place)
            for entry in sorted(directories, key=lambda entry: entry.path, reverse=True):
                live.dress_directory(entry._replace(path=self.base.relative(entry.path)))

    def undo(self, paths: Iterable[str], made: Iterable[str], on_step: Callable[[], None]) -> None:
        """Put back whatever `swap` has moved, and remove the directories that it `made`."""
        with self._opened(()) as (live, new, old):
            for path in paths:
                place = self.base.relative(path)
                on_step()
                if new.status(path) is None and live.status(place) is not None:
                    live.move(place, new, path)
                    on_step()
                if old.status(path) is not None:
                    old.move(path, live, place)
            for path in sorted(made, reverse=True):
                live.remove_empty_directory(self.base.relative(path))

    @contextmanager
    def _opened(self, known: Sequence[ManifestEntry]) -> Iterator[tuple[Places, Places, Places]]:
        directories = {self.base.relative(entry.path): entry for entry in known}
        live = Target(root=self.base.location, directories=directories)
        with ExitStack() as stack:
            yield (
                stack.enter_context(live.opened()),
                stack.enter_context(self.new.opened()),
                stack.enter_context(self.old.opened()),
            )


def _content(entries: Iterable[ManifestEntry]) -> Iterator[ManifestEntry]:
    for entry in entries:
        if entry.kind in {MemberKind.FILE, MemberKind.SYMLINK}:
            yield entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What is being put in place; it stands in the first base's workspace."""

    bases: tuple[Base, ...]
    paths: tuple[str, ...]
    made: tuple[str, ...]
    """Directories that were not there before."""
    databases: tuple[str, ...]
    ended: bool = False
    """Whether everything is in its place, and only the workspace is left to be removed."""

    def write(self, folder: Path) -> None:
        """Write it, all or nothing, and make sure that it stays.

        Raises:
            BackupdError: the system refuses.
        """
        document = asdict(self)
        for base in document["bases"]:
            base["location"] = str(base["location"])
        partial = folder / f"{_JOURNAL}.partial"
        try:
            with partial.open("w", encoding="ascii") as file:
                json.dump(document, file)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(folder / _JOURNAL)
            sync_directory(folder)
        except OSError as error:
            raise BackupdError(f"{folder} cannot be written: {error.strerror}.") from error

    @staticmethod
    def remove(folder: Path) -> None:
        """Take it away, and make sure that it stays away: there is nothing to undo any more.

        Raises:
            BackupdError: the system refuses.
        """
        try:
            (folder / _JOURNAL).unlink(missing_ok=True)
            sync_directory(folder)
        except OSError as error:
            raise BackupdError(f"{folder} cannot be written: {error.strerror}.") from error


def read_journal(folder: Path) -> Journal | None:
    """Read the journal of a workspace; None if nothing is in place yet, or no more.

    Raises:
        BackupdError: it cannot be read.
    """
    try:
        document = json.loads((folder / _JOURNAL).read_text(encoding="ascii"))
        bases = tuple(
            Base(**{**base, "location": Path(base["location"])}) for base in document["bases"]
        )
        return Journal(
            bases=bases,
            paths=tuple(document["paths"]),
            made=tuple(document["made"]),
            databases=tuple(document["databases"]),
            ended=document["ended"],
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupdError(
            f"{folder / _JOURNAL} cannot be read: {error}.",
            hint=f"What was replaced stands in {folder / 'old'}; move it back by hand.",
        ) from error


def left_over(location: Path) -> Path | None:
    """Find the workspace that a restore which was killed, or did not end well, left."""
    return next(iter(_workspaces(location)), None)


def half_swapped(location: Path) -> Path | None:
    """Find the workspace of a restore that was, or may have been, killed while it moved files."""
    for folder in _workspaces(location):
        try:
            journal = read_journal(folder)
        except BackupdError:
            return folder
        if journal and not journal.ended:
            return folder
    return None


def _workspaces(location: Path) -> list[Path]:
    """Find those of restores; who may not look there will be told so by what comes next."""
    with suppress(PermissionError):
        return sorted(location.glob(f"{PREFIX}*"))
    return []


def remove_tree(folder: Path) -> None:
    """Remove a tree whose directories may forbid it.

    Raises:
        BackupdError: the system refuses.
    """
    try:
        for parent, directories, _ in os.walk(folder):
            for name in directories:
                path = Path(parent, name)
                if not path.is_symlink():
                    path.chmod(0o700)
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise BackupdError(
            f"{folder} cannot be removed: {error.strerror}.", hint="Remove it by hand."
        ) from error
