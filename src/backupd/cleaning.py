"""How clean and pin came out: frozen values, as those of `model` are."""

from dataclasses import dataclass

from backupd.caution import Objection
from backupd.model import Backup, Outcome
from backupd.retention import Plan, Verdict

_NO_PLAN = Plan()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRemoval:
    """A backup that should have gone and is still there."""

    backup: Backup
    error: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaning:
    """What was done at one destination."""

    destination: str
    plan: Plan = _NO_PLAN
    removed: tuple[Verdict, ...] = ()
    failed: tuple[FailedRemoval, ...] = ()
    objections: tuple[Objection, ...] = ()
    """Why nothing was removed there."""
    foreign: int = 0
    """Objects with names that begin as ours do and are not ours; they are left alone."""
    error: str = ""
    """Why the destination could not be asked; "" if it could."""
    hint: str = ""

    @property
    def outcome(self) -> Outcome:
        """Failed if nothing was to be had, partial if something that should have gone is there."""
        if self.error or self.objections:
            return Outcome.FAILED
        return Outcome.PARTIAL if self.failed else Outcome.SUCCEEDED

    @property
    def removed_bytes(self) -> int:
        """What the removed backups held."""
        return sum(verdict.backup.size for verdict in self.removed)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanReport:
    """How a clean came out, by destination."""

    destinations: tuple[Cleaning, ...]

    @property
    def outcome(self) -> Outcome:
        """Failed if it failed at every destination, partial if not all went well."""
        return _together([each.outcome for each in self.destinations])


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """Whether a mark was set, or taken away, at one destination."""

    destination: str
    error: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinReport:
    """How pinning or unpinning a backup came out, at every destination that has it."""

    key: str
    destinations: tuple[Marking, ...]

    @property
    def outcome(self) -> Outcome:
        """Failed if it failed at every destination, partial if at some."""
        failed = Outcome.FAILED
        return _together(
            [failed if each.error else Outcome.SUCCEEDED for each in self.destinations]
        )


def _together(outcomes: list[Outcome]) -> Outcome:
    if all(outcome is Outcome.SUCCEEDED for outcome in outcomes):
        return Outcome.SUCCEEDED
    failed = all(outcome is Outcome.FAILED for outcome in outcomes)
    return Outcome.FAILED if failed else Outcome.PARTIAL
