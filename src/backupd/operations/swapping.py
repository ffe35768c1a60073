"""The swap itself, files and databases together, and its undoing."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from backupd.archive.swap import Base, Journal, Workspace, read_journal, remove_tree
from backupd.events import Progressed
from backupd.model import ManifestEntry
from backupd.ports import Observer


class DatabaseInPlace(Protocol):
    """Puts one database's dump into the live database; all or nothing."""

    def put(self, restored: Path, saved: Path) -> None:
        """Save the live content under the directory `saved`, then replace it."""
        ...

    def undo(self, saved: Path) -> None:
        """Bring the live content back that `put` saved, as far as it came."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """Everything that is staged takes its place, or everything is put back."""

    folder: Path
    """The workspace of the application's root; the others have the same name."""
    journal: Journal
    databases: Mapping[str, DatabaseInPlace]
    entries: Sequence[ManifestEntry] = ()
    known: Sequence[ManifestEntry] = ()
    """All directories of the archive."""
    dumps: Mapping[str, Path] = field(default_factory=dict)
    """Staged dumps by the name of their database."""

    def do(self, observe: Observer) -> None:
        """Swap everything in.

        Raises:
            BackupdError: something failed; `undo` must be called.
        """
        on_step = _steps(observe, "putting in place", 2 * len(self.journal.paths))
        self.journal.write(self.folder)
        bases = self.journal.bases
        for workspace in self.workspaces():
            entries = [each for each in self.entries if base_of(bases, each.path) is workspace.base]
            known = [each for each in self.known if base_of(bases, each.path) is workspace.base]
            workspace.swap(entries, known, on_step)
        for name, dump in self.dumps.items():
            on_step()
            self.databases[name].put(dump, self._saved(name))
            on_step()
        os.sync()
        replace(self.journal, ended=True).write(self.folder)

    def undo(self, observe: Observer) -> None:
        """Put everything back, as far as it came; after that, there is nothing to undo any more.

        Raises:
            BackupdError: something cannot be put back; the next run tries again.
        """
        written = read_journal(self.folder)
        if written and written.ended:  # it was interrupted right after all had ended
            self.journal.write(self.folder)
        on_step = _steps(observe, "putting back", 2 * len(self.journal.paths))
        for name in reversed(self.journal.databases):
            if name in self.databases and self._saved(name).exists():
                on_step()
                self.databases[name].undo(self._saved(name))
        bases = self.journal.bases
        for workspace in self.workspaces():
            paths = [path for path in self.journal.paths if base_of(bases, path) is workspace.base]
            made = [path for path in self.journal.made if base_of(bases, path) is workspace.base]
            workspace.undo(paths, made, on_step)
        os.sync()
        self.journal.remove(self.folder)

    def clear(self) -> None:
        """Remove all workspaces; that of the root goes last.

        There must be nothing to undo: all has ended, or was undone, or was not begun.

        Raises:
            BackupdError: the system refuses.
        """
        for workspace in self.workspaces():
            remove_tree(workspace.folder)

    def workspaces(self) -> list[Workspace]:
        """Give the workspace of each base; that of the root comes last."""
        return [
            Workspace(base=base, folder=base.location / self.folder.name)
            for base in self.journal.bases
        ]

    def _saved(self, name: str) -> Path:
        return self.folder / "databases" / name


def base_of(bases: Sequence[Base], path: str) -> Base:
    """Find where a member belongs: the first base that holds it, and the last holds all."""
    return next(base for base in bases if base.holds(path))


def _steps(observe: Observer, phase: str, total: int) -> Callable[[], None]:
    done = 0

    def on_step() -> None:
        nonlocal done
        observe(Progressed(phase=phase, done=done, total=total))
        done += 1

    return on_step
