"""Apply the retention policy to every destination, each on its own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from backupd.archive.ending import has_its_end
from backupd.catalog import Catalog, Holding
from backupd.caution import Circumstances, Objection, Refusal, objections
from backupd.cleaning import Cleaning, CleanReport, FailedRemoval
from backupd.errors import DestinationError, ObjectNotFoundError
from backupd.events import BackupRemoved
from backupd.model import Backup, Condition, Scope
from backupd.ports import Clock, Destination, Locking, Observer
from backupd.retention import Plan, Policy, make_plan

_FORGOTTEN = timedelta(days=7)
"""A mark is stored before its archive, whose delivery may take days to come to an end."""

Remove = Callable[[Destination, Sequence[str]], Mapping[str, DestinationError]]
"""The last step: removes objects, and returns those that are still there."""


def remove(destination: Destination, keys: Sequence[str]) -> Mapping[str, DestinationError]:
    """Remove the objects; if the destination breaks off, none counts as removed."""
    try:
        return destination.delete(keys) if keys else {}
    except DestinationError as error:
        return dict.fromkeys(keys, error)


def pretend(_destination: Destination, _keys: Sequence[str]) -> Mapping[str, DestinationError]:
    """Remove nothing: the last step of a dry run."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """Plan for every destination what goes, and unless something speaks against it, remove it."""

    catalogs: Sequence[Catalog]
    policy: Policy
    clock: Clock
    circumstances: Circumstances
    despite: frozenset[Refusal] = frozenset()
    """Objections that do not count this time."""
    remove: Remove = remove
    name: str = "clean"

    def run(self, observe: Observer) -> CleanReport:
        """Clean one destination after the other; what fails at one does not stop the rest."""
        cleanings = []
        for catalog in self.catalogs:
            cleaning = self._cleaned(catalog)
            cleanings.append(cleaning)
            for verdict in cleaning.removed:
                observe(BackupRemoved(backup=verdict.backup, reason=verdict.reason))
        return CleanReport(destinations=tuple(cleanings))

    def _cleaned(self, catalog: Catalog) -> Cleaning:
        name = catalog.destination.name
        try:
            holding = catalog.holding()
            plan = self._plan(catalog.destination, holding)
        except DestinationError as error:
            return Cleaning(destination=name, error=str(error), hint=error.hint)
        cleaning = Cleaning(
            destination=name,
            plan=plan,
            objections=self._objections(plan),
            foreign=len(holding.foreign),
        )
        return cleaning if cleaning.objections else self._carried_out(catalog, holding, cleaning)

    def _plan(self, destination: Destination, holding: Holding) -> Plan:
        """Plan on what is really there.

        Those that hold the last places are looked at first, and for those that would go it is
        asked whether the destination keeps them anyway.
        """
        backups, looked_at = list(holding.backups), set[str]()
        while True:
            plan = make_plan(self.policy, backups, self.clock.now())
            if not plan.removed:
                return plan
            unproved = [
                backup
                for backup in _last_places(plan, self.policy.keep_at_least)
                if backup.condition is Condition.UNPROVED and backup.key not in looked_at
            ]
            going = [each.backup for each in plan.removed if each.backup.key not in looked_at]
            looked_at.update(each.key for each in (*unproved, *going))
            news = _cut(destination, unproved) | _locked(destination, going)
            if not news:
                return plan
            backups = [news.get(each.key, each) for each in backups]

    def _objections(self, plan: Plan) -> tuple[Objection, ...]:
        now = replace(self.circumstances, now=self.clock.now())
        found = objections(plan, self.policy, now)
        return tuple(each for each in found if each.refusal not in self.despite)

    def _carried_out(self, catalog: Catalog, holding: Holding, cleaning: Cleaning) -> Cleaning:
        """Remove archives first, and what stands beside them only when they are gone."""
        planned = cleaning.plan.removed
        failed = self.remove(catalog.destination, [verdict.backup.key for verdict in planned])
        removed = [verdict for verdict in planned if verdict.backup.key not in failed]
        beside = [key for each in removed for key in holding.beside.get(each.backup.key, ())]
        long_ago = self.clock.now() - _FORGOTTEN
        orphans = [orphan.key for orphan in holding.orphans if orphan.modified_at < long_ago]
        self.remove(catalog.destination, [*beside, *orphans])  # what stays is tried next time
        return replace(
            cleaning,
            removed=tuple(removed),
            failed=tuple(
                _failed_removal(verdict.backup, failed[verdict.backup.key])
                for verdict in planned
                if verdict.backup.key in failed
            ),
        )


def _last_places(plan: Plan, count: int) -> Iterable[Backup]:
    """Give the best of every series: those that the rest is removed in favour of."""
    for scope in Scope:
        series = [verdict.backup for verdict in plan.kept if verdict.backup.scope is scope]
        yield from sorted(series, key=lambda backup: backup.rank, reverse=True)[:count]


def _cut(destination: Destination, backups: Iterable[Backup]) -> dict[str, Backup]:
    """Look which of these are not whole; give them as damaged ones, by their keys."""
    return {
        each.key: replace(each, condition=Condition.DAMAGED)
        for each in backups
        if not _is_whole(destination, each)
    }


def _locked(destination: Destination, backups: Sequence[Backup]) -> dict[str, Backup]:
    """Ask which of these the destination keeps; give them with their lock, by their keys."""
    if not backups or not isinstance(destination, Locking):
        return {}
    until = destination.locked_until([each.key for each in backups])
    return {
        each.key: replace(each, locked_until=until[each.key])
        for each in backups
        if each.key in until
    }


def _is_whole(destination: Destination, backup: Backup) -> bool:
    try:
        return has_its_end(destination, backup.key, backup.size)
    except ObjectNotFoundError:
        return False  # somebody else removed it since it was listed


def _failed_removal(backup: Backup, error: DestinationError) -> FailedRemoval:
    return FailedRemoval(backup=backup, error=str(error), hint=error.hint)
