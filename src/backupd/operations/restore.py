"""Restore a backup, or some of its members, into a directory."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from backupd.archive.extract import Extraction
from backupd.archive.reader import OpenArchive
from backupd.archive.survey import Survey, free_bytes, survey, sweep
from backupd.archive.target import Target, in_the_way
from backupd.archive.view import ObjectView
from backupd.errors import RefusedError
from backupd.events import Progressed, RestorePlanned
from backupd.model import MemberKind
from backupd.operations.retrieve import Copies, Reading
from backupd.operations.select import Selected, Selection
from backupd.ports import Observer, Progress
from backupd.reports import RestorePlan, RestoreReport
from backupd.words import plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Restores what is selected into a directory, from the first copy that is good.

    Nothing outside the directory is touched, and nothing in it replaced unless `overwrite`. A
    restore that was stopped half-way goes on when it is run again.
    """

    copies: tuple[ObjectView, ...]
    target: Path
    selection: Selection
    reading: Reading
    overwrite: bool = False
    owners: bool = field(default_factory=lambda: os.geteuid() == 0)
    """Whether files get their owners back, which only root may do."""
    more_room: str = "Restore to a larger file system, or a part of it with --path."
    """What to do when there is not enough space, a sentence."""
    name: str = "restore"

    def plan(self, show: Callable[[RestorePlan], None]) -> RestorePlan:
        """Say what would be done, and show it before it is refused; nothing is written.

        Raises:
            BackupdError: it cannot be done, for the reason given; `run` would raise the same.
        """
        plan = self._prepare().plan
        show(plan)
        self._refuse(plan)
        return plan

    def run(self, observe: Observer) -> RestoreReport:
        """Do it.

        Raises:
            RefusedError: something is in the way, or there is not enough space; nothing was
                written.
            WrongPasswordError: nothing was written.
            DamagedError, DestinationError: no copy has the rest; what was restored stays, and is
                whole.
            BackupdError: the directory cannot be written.
        """
        prepared = self._prepare()
        self._refuse(prepared.plan)
        observe(RestorePlanned(plan=prepared.plan))
        total = sum(member.entry.size for member in prepared.survey.to_write)
        extraction = Extraction(
            target=prepared.target,
            workers=1 if prepared.survey.folded else self.reading.workers,
            skip_damaged=self.reading.skip_damaged,
            on_progress=restoring(observe, total),
        )
        prepared.make_directories()
        prepared.copies.retrieve(prepared.archive, prepared.survey.to_write, extraction)
        prepared.finish()
        return prepared.report(extraction)

    def _prepare(self) -> "_Prepared":
        copies = Copies(self.copies, self.reading)
        archive = copies.open_next()
        selected = self.selection.select(archive)
        directories = {
            member.entry.path: member.entry
            for member in archive.members
            if member.entry.kind is MemberKind.DIRECTORY
        }
        target = Target(
            root=self.target, directories=directories, overwrite=self.overwrite, owners=self.owners
        )
        found = survey(target, selected.content + selected.directories)
        plan = RestorePlan(
            key=self.copies[0].key,
            destinations=tuple(copy.destination.name for copy in self.copies),
            target=self.target,
            members=tuple(sorted(member.entry.path for member in found.to_write)),
            bytes_to_write=found.bytes_to_write,
            bytes_free=free_bytes(self.target),
            unchanged=len(found.unchanged),
            in_the_way=found.in_the_way,
            flaws=archive.flaws,
            has_manifest=archive.manifest is not None,
            never_taken=archive.never_taken,
        )
        return _Prepared(
            copies=copies,
            archive=archive,
            selected=selected,
            target=target,
            survey=found,
            plan=plan,
        )

    def _refuse(self, plan: RestorePlan) -> None:
        if plan.in_the_way and not self.overwrite:
            first = in_the_way(plan.target / plan.in_the_way[0])
            others = len(plan.in_the_way) - 1
            also = (
                f" So {'is' if others == 1 else 'are'} {plural(others, 'other')}." if others else ""
            )
            raise RefusedError(f"{first}{also}", hint=first.hint)
        if plan.bytes_to_write > plan.bytes_free:
            raise RefusedError(
                f"{plan.target} has {plan.bytes_free:,} bytes free, and {plan.bytes_to_write:,} "
                "are to be written.",
                hint=self.more_room,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """Everything that is known before the first byte is written."""

    copies: Copies
    archive: OpenArchive
    selected: Selected
    target: Target
    survey: Survey
    plan: RestorePlan

    def make_directories(self) -> None:
        """Make those that may stay empty, and sweep what a killed run left."""
        with self.target.opened() as places:
            for member in self.selected.directories:
                places.make_directory(member.entry.path)
        sweep(self.target, self.survey.to_write)

    def finish(self) -> None:
        """Give what was there already, and then the directories, owner, mode and time."""
        deepest_first = sorted(
            (member.entry for member in self.selected.directories),
            key=lambda entry: entry.path.count("/"),
            reverse=True,
        )
        with self.target.opened() as places:
            for member in self.survey.unchanged:
                if member.entry.kind is not MemberKind.SYMLINK:
                    places.dress_file(member.entry)
            for entry in deepest_first:
                places.dress_directory(entry)

    def report(self, extraction: Extraction) -> RestoreReport:
        """Count what was restored, and name what was not."""
        done = [each for each in self.survey.to_write if each.entry.path in extraction.done]
        skipped = [flaw for flaw in extraction.flaws if flaw.path not in extraction.done]
        dumps = [each for each in self.selected.content if each.entry.kind is MemberKind.DUMP]
        return RestoreReport(
            plan=self.plan,
            restored=len(done),
            restored_bytes=sum(member.entry.size for member in done),
            flaws=(*self.archive.flaws, *skipped),
            dumps=tuple(member.entry.path for member in dumps),
            notes=tuple(self.copies.notes),
        )


def restoring(observe: Observer, total: int) -> Progress:
    """Announce progress towards `total` bytes."""
    done = 0

    def on_progress(count: int) -> None:
        nonlocal done
        done += count
        observe(Progressed(phase="restoring", done=done, total=total))

    return on_progress
