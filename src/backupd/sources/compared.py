"""A database's dump beside those of earlier backups: far fewer rows are worth a warning."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from backupd.model import DatabaseFacts, Member, Omission
from backupd.ports import Source
from backupd.row_counts import named, shrunk_tables

Earlier = Callable[[str], Sequence[DatabaseFacts]]
"""Gives what is known of the earlier dumps of one database, by its name, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Gives what `source` gives; its dumps say in their warnings what has far fewer rows."""

    source: Source
    earlier: Earlier
    max_shrink_percent: int

    @property
    def name(self) -> str:
        """The source's own name."""
        return self.source.name

    def members(self) -> Iterator[Member | Omission]:
        """Walk the source."""
        for item in self.source.members():
            yield self._looking_back(item) if isinstance(item, Member) else item

    def _looking_back(self, member: Member) -> Member:
        known, facts = member.database, member.facts
        if known is None:
            return member
        return replace(member, facts=lambda: self._warned(facts() if facts else known))

    def _warned(self, facts: DatabaseFacts) -> DatabaseFacts:
        shrunk = shrunk_tables(facts, self.earlier(facts.name), self.max_shrink_percent)
        if not shrunk:
            return facts
        warning = f"Far fewer rows than in the dumps before it: {named(shrunk)}."
        return replace(facts, warnings=(*facts.warnings, warning))
