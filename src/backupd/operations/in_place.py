"""Put the application back where it was: everything is restored beside first, then swapped in."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backupd.archive.survey import free_bytes
from backupd.archive.swap import PREFIX, left_over, read_journal
from backupd.archive.view import ObjectView
from backupd.errors import BackupdError, RefusedError
from backupd.events import RestorePlanned
from backupd.operations.hooks import run_hooks
from backupd.operations.laid_out import laid_out
from backupd.operations.retrieve import Copies, Reading
from backupd.operations.select import Selection
from backupd.operations.staging import Application, Staging
from backupd.operations.swapping import Swap
from backupd.ports import Clock, Observer
from backupd.reports import RestorePlan, RestoreReport


@dataclass(frozen=True, slots=True, kw_only=True)
class InPlace:
    """Puts back what is selected; whatever happens, it is all old or all new in the end.

    Everything is restored and checked in a workspace beside the live files first. Then the
    application is stopped, every live file is moved aside and its successor in, databases are
    replaced, and the application is started again. Any failure until there puts everything back.
    A run that was killed is put back by the next one. Files that the backup does not have stay.
    """

    copies: tuple[ObjectView, ...]
    application: Application
    selection: Selection
    reading: Reading
    clock: Clock
    name: str = "restore"

    def plan(self, show: Callable[[RestorePlan], None]) -> RestorePlan:
        """Say what would be done, and show it before it is refused; nothing is written.

        Raises:
            BackupdError: it cannot be done, for the reason given; `run` would raise the same.
        """
        prepared = self._prepare()
        show(prepared.plan)
        prepared.fillings(self.application.root / PREFIX)
        return prepared.plan

    def run(self, observe: Observer) -> RestoreReport:
        """Do it.

        Raises:
            BackupdError: it could not be done, and everything is as it was before; or (only after
                a failing command of `after`) it was done, and the message says so.
        """
        folder = self._workspace(observe)
        prepared = self._prepare()
        observe(RestorePlanned(plan=prepared.plan))
        swap, report = prepared.stage(folder, observe)
        try:
            run_hooks("BACKUP_RESTORE__BEFORE", self.application.before, self.application.root)
        except BackupdError:
            swap.clear()
            raise
        try:
            swap.do(observe)
        except BaseException:
            swap.undo(observe)
            self._start_again()
            swap.clear()
            raise
        self._end_well(swap)
        return report

    def _workspace(self, observe: Observer) -> Path:
        """Undo what a killed run left half-swapped; give the workspace to use, old or new."""
        root = self.application.root
        folder = left_over(root)
        journal = read_journal(folder) if folder else None
        if folder and journal:
            swap = Swap(folder=folder, journal=journal, databases=self.application.databases)
            if not journal.ended:
                swap.undo(observe)
            swap.clear()
        elif folder:
            return folder
        return root / f"{PREFIX}{self.clock.now():%Y-%m-%d-%H-%M-%S}"

    def _prepare(self) -> Staging:
        if not self.application.root.is_dir():
            raise RefusedError(
                f"The application's directory {self.application.root} does not exist.",
                hint="Make it, with the owner and mode that it should have, and try again.",
            )
        copies = Copies(self.copies, self.reading)
        archive = copies.open_next()
        application, selected = self.application, self.selection.select(archive)
        if archive.manifest is None:
            application, selected = laid_out(application, selected)
        size = sum(member.entry.size for member in selected.content)
        plan = RestorePlan(
            key=self.copies[0].key,
            destinations=tuple(copy.destination.name for copy in self.copies),
            target=self.application.root,
            members=tuple(sorted(member.entry.path for member in selected.content)),
            bytes_to_write=size,
            bytes_free=free_bytes(self.application.root),
            flaws=archive.flaws,
            has_manifest=archive.manifest is not None,
            never_taken=archive.never_taken,
        )
        return Staging(
            copies=copies,
            archive=archive,
            selected=selected,
            application=application,
            plan=plan,
            reading=self.reading,
        )

    def _start_again(self) -> None:
        with suppress(BackupdError):  # what failed first is what must be told
            run_hooks("BACKUP_RESTORE__AFTER", self.application.after, self.application.root)

    def _end_well(self, swap: Swap) -> None:
        try:
            run_hooks("BACKUP_RESTORE__AFTER", self.application.after, self.application.root)
        except BackupdError as error:
            raise BackupdError(
                f"Everything was restored and is in its place, but: {error}",
                hint=f"{error.hint} What was replaced stands in {swap.folder}/old until the next "
                "restore in place.",
            ) from error
        swap.clear()
