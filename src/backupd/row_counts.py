"""Rows of a database's dump beside those of earlier ones: what has far fewer than it used to have.

Counts are compared with counts only: an estimate proves nothing, and the size of the dump is looked
at anyway. What the settings leave out by now is no loss. Tables whose names differ in numbers only,
as partitions and logs of a month each do, come and go, and count as one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import NamedTuple

from backupd.model import DatabaseFacts
from backupd.words import few

COMPARED = 10
"""With so many earlier dumps the newest is compared."""
WORTH_NAMING = 100
"""Tables that usually have fewer rows may lose them all on an ordinary day."""


class Shrunk(NamedTuple):
    """One thing with far fewer rows than it used to have."""

    what: str
    """A table; a pattern as `public.log_*`; or `all tables`."""
    rows: int | None
    """None for a table that is not there any more."""
    usual: int

    def __str__(self) -> str:
        """Say it with both figures."""
        now = "which is gone" if self.rows is None else f"{self.rows:,}"
        return f"{self.what}{',' if self.rows is None else ''} {now} ({self.usual:,} before)"


def shrunk_tables(
    now: DatabaseFacts, earlier: Sequence[DatabaseFacts], max_shrink_percent: int
) -> list[Shrunk]:
    """Compare a dump with the median of those before it, the newest first; one is enough.

    All tables together come first, then those that lost the most. A table that is new has nothing
    to be compared with, and one that was dropped long ago is not missed.
    """
    known = [each for each in earlier if each.exact and each.kind == now.kind][:COMPARED]
    if not now.exact or not known:
        return []
    before = [_families(each, now) for each in known]
    today = _families(now, now)

    def fell(rows: int, usual: float) -> bool:
        return rows * 100 < usual * (100 - max_shrink_percent)

    total, usual_total = sum(today.values()), median(sum(each.values()) for each in before)
    found = []
    for family in {name for each in before for name in each}:
        usual = _usual(family, before)
        if usual >= WORTH_NAMING and fell(today.get(family, 0), usual):
            found.append(Shrunk(_shown(family, known), today.get(family), round(usual)))
    found.sort(key=lambda each: ((each.rows or 0) - each.usual, each.what))
    if fell(total, usual_total):
        found.insert(0, Shrunk("all tables", total, round(usual_total)))
    return found


def warned(
    now: DatabaseFacts, earlier: Sequence[DatabaseFacts], max_shrink_percent: int
) -> DatabaseFacts:
    """Add a warning to what is known of a dump, if it has far fewer rows than those before it."""
    shrunk = shrunk_tables(now, earlier, max_shrink_percent)
    if not shrunk:
        return now
    warning = f"Far fewer rows than in the dumps before it: {named(shrunk)}."
    return replace(now, warnings=(*now.warnings, warning))


def named(shrunk: Sequence[Shrunk]) -> str:
    """Name the first ones, with their figures."""
    return few(list(map(str, shrunk)))


def _families(facts: DatabaseFacts, now: DatabaseFacts) -> Mapping[str, int]:
    """Add up rows that were dumped and are to be dumped today, by names without numbers."""
    left_out = {*facts.left_out, *now.left_out}
    rows: dict[str, int] = {}
    for table, count in facts.tables.items():
        if table not in left_out:
            family = re.sub(r"\d+", "*", table)
            rows[family] = rows.get(family, 0) + count
    return rows


def _usual(family: str, before: Sequence[Mapping[str, int]]) -> float:
    """Give the median since the family first was there; where it was missing since, 0 counts."""
    first = max(number for number, each in enumerate(before) if family in each)
    return median(each.get(family, 0) for each in before[: first + 1])


def _shown(family: str, known: Sequence[DatabaseFacts]) -> str:
    """Call a family of one by its name."""
    names = {name for each in known for name in each.tables if re.sub(r"\d+", "*", name) == family}
    return names.pop() if len(names) == 1 else family
