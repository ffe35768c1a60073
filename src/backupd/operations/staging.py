"""Restore everything beside its place, check it, and say what would have to move."""

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backupd.archive.extract import Extraction
from backupd.archive.honesty import parents
from backupd.archive.reader import OpenArchive
from backupd.archive.survey import survey
from backupd.archive.swap import Base, Journal, Workspace, remove_tree
from backupd.archive.target import Target
from backupd.errors import BackupdError, DamagedError, RefusedError
from backupd.model import MemberKind
from backupd.operations.databases import check_dumps, dump_of
from backupd.operations.restore import restoring
from backupd.operations.retrieve import Copies, Reading
from backupd.operations.room import Filling, mount_points, refuse_too_small
from backupd.operations.select import Selected
from backupd.operations.sqlite_text import database_of
from backupd.operations.swapping import DatabaseInPlace, Swap, base_of
from backupd.ports import Observer
from backupd.reports import Flaw, RestorePlan, RestoreReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What is put back, and where it lives."""

    root: Path
    outside: tuple[Path, ...] = ()
    """Included paths that do not lie below the root; the archive has them without their `/`."""
    databases: Mapping[str, DatabaseInPlace] = field(default_factory=dict)
    live: tuple[Path, ...] = ()
    """The files of the databases, which nothing but SQLite may touch."""
    before: tuple[str, ...] = ()
    """Commands that stop the application."""
    after: tuple[str, ...] = ()
    """Commands that start it again."""

    def bases(self, directories: Iterable[str]) -> tuple[Base, ...]:
        """Give the live directories, the innermost first: a file is renamed within one only."""
        found, mounts = [], mount_points()
        for path in self.outside:
            location = path if path.is_dir() else path.parent
            found.append(Base(location=location, prefix=cut(location), included=cut(path)))
        found += [
            Base(location=self.root / path, prefix=path, included=path)
            for path in directories
            if os.path.realpath(self.root / path) in mounts
        ]
        found.sort(key=lambda base: base.included.count("/"), reverse=True)
        return (*found, Base(location=self.root))

    def passed(self) -> set[str]:
        """Name the directories in the archive that only lead to what lies outside the root."""
        paths = [cut(path) for path in self.outside]
        leading = {parent for path in paths for parent in parents(path)}
        return leading | {cut(path) for path in self.outside if path.is_dir()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """What is selected of an open archive, on its way into the workspaces."""

    copies: Copies
    archive: OpenArchive
    selected: Selected
    application: Application
    plan: RestorePlan
    reading: Reading

    def stage(self, folder: Path, observe: Observer) -> tuple[Swap, RestoreReport]:
        """Restore into the workspaces and check the databases; nothing live is touched.

        Raises:
            BackupdError: it cannot be done; a run again goes on where it was.
        """
        bases = self._bases()
        fillings = self.fillings(folder)
        made = [path for base in bases for path in self._missing(base, bases)]
        extraction = Extraction(
            target=Target(root=folder),
            workers=self.reading.workers,
            skip_damaged=self.reading.skip_damaged,
            on_progress=restoring(observe, self.plan.bytes_to_write),
        )
        for filling in fillings:
            self._fill(filling, extraction)
        flaws = [flaw for flaw in extraction.flaws if flaw.path not in extraction.done]
        dumps, notes = self._dumps(extraction.done, folder)
        swap = self._swap(folder, bases, extraction.done, made, dumps)
        return swap, self._report(extraction.done, flaws, notes)

    def fillings(self, folder: Path) -> list[Filling]:
        """Say what must be written where, but for what a run which was killed restored.

        Raises:
            RefusedError: a file system has not enough space for it; nothing was written.
        """
        bases, found = self._bases(), []
        for base in bases:
            workspace = Workspace(base=base, folder=base.location / folder.name)
            members = [
                each for each in self.selected.content if base_of(bases, each.entry.path) is base
            ]
            if members or not base.prefix:
                there = survey(workspace.new, members)
                found.append(Filling(workspace=workspace, survey=there))
        refuse_too_small(found)
        return found

    def _bases(self) -> tuple[Base, ...]:
        content = {parent for each in self.selected.content for parent in parents(each.entry.path)}
        return self.application.bases(
            content | {each.entry.path for each in self.selected.directories}
        )

    def _fill(self, filling: Filling, extraction: Extraction) -> None:
        """Restore the members of one base."""
        workspace, found = filling.workspace, filling.survey
        _make(workspace.folder)
        for left in ("old", "databases"):
            remove_tree(workspace.folder / left)
        extraction.done.update(each.entry.path for each in found.unchanged)
        extraction.target = workspace.new
        if found.to_write:
            self.copies.retrieve(self.archive, found.to_write, extraction)

    def _missing(self, base: Base, bases: tuple[Base, ...]) -> list[str]:
        """Name the directories that must be made; refuse if a live thing is of another kind."""
        content = [each for each in self.selected.content if each.entry.kind is not MemberKind.DUMP]
        wanted = {parent for each in content for parent in parents(each.entry.path)}
        wanted |= {each.entry.path for each in self.selected.directories}
        directories = dict.fromkeys(sorted(wanted - self.application.passed()), True)
        files = {each.entry.path: False for each in content}
        missing = []
        with Target(root=base.location).opened() as live:
            for path, is_directory in {**directories, **files}.items():
                if base_of(bases, path) is not base:
                    continue
                status = live.status(base.relative(path))
                if status is None:
                    missing += [path] if is_directory else []
                elif stat.S_ISDIR(status.st_mode) is not is_directory:
                    raise RefusedError(
                        f"{base.location / base.relative(path)} is a directory in the backup and "
                        "none there, or the other way round.",
                        hint="Move it away, or restore into another directory with --to.",
                    )
        return missing

    def _dumps(self, done: set[str], folder: Path) -> tuple[dict[str, Path], list[str]]:
        """Check the restored dumps; find the live databases that they belong to."""
        manifest = self.archive.manifest
        paths = [
            each.entry.path
            for each in self.selected.content
            if each.entry.kind is MemberKind.DUMP and each.entry.path in done
        ]
        _, flaws = check_dumps(manifest, paths, folder / "new")
        if flaws:
            raise DamagedError(f"The dump {flaws[0].path} is damaged: {flaws[0].what}.")
        found = {
            each.name: dump
            for each in (manifest.databases if manifest else ())
            if each.name in self.application.databases and (dump := dump_of(each, paths))
        }
        only = list(self.application.databases)
        if manifest is None and len(paths) == 1 and len(only) == 1:
            found = {only[0]: paths[0]}
        notes = [
            f"{path} was not put back: no SQLite database of these settings is named so. "
            "Restore it with --only-db --to DIR."
            for path in paths
            if path not in found.values()
        ]
        files = {name: folder / "new" / dump for name, dump in found.items()}
        if manifest is None:
            files = {name: database_of(file) for name, file in files.items()}
        return files, notes

    def _swap(
        self,
        folder: Path,
        bases: tuple[Base, ...],
        done: set[str],
        made: list[str],
        dumps: Mapping[str, Path],
    ) -> Swap:
        passed = self.application.passed()
        content = [
            each.entry
            for each in self.selected.content
            if each.entry.kind is not MemberKind.DUMP and each.entry.path in done
        ]
        directories = [
            each.entry for each in self.selected.directories if each.entry.path not in passed
        ]
        return Swap(
            folder=folder,
            journal=Journal(
                bases=bases,
                paths=tuple(entry.path for entry in content),
                made=tuple(made),
                databases=tuple(dumps),
            ),
            databases=self.application.databases,
            entries=(*directories, *content),
            known=[
                each.entry
                for each in self.archive.members
                if each.entry.kind is MemberKind.DIRECTORY
            ],
            dumps=dumps,
        )

    def _report(self, done: set[str], flaws: list[Flaw], notes: list[str]) -> RestoreReport:
        restored = [each for each in self.selected.content if each.entry.path in done]
        return RestoreReport(
            plan=self.plan,
            restored=len(restored),
            restored_bytes=sum(each.entry.size for each in restored),
            flaws=(*self.archive.flaws, *flaws),
            notes=(*self.copies.notes, *notes),
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise BackupdError(
            f"{folder} cannot be made: {error.strerror}.",
            hint="A restore in place needs to write to the application's directory.",
        ) from error


def cut(path: Path) -> str:
    """Name an absolute path as archives do."""
    return str(path).lstrip("/")
