"""How many rows the databases of the last archives had, as a part of the history."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from backupd.history import History
from backupd.model import DatabaseFacts
from backupd.row_counts import warned

_SCHEMA = """
CREATE TABLE IF NOT EXISTS row_counts (key TEXT PRIMARY KEY, databases TEXT NOT NULL) STRICT
"""
_KEPT = 100
"""Of so many archives; lists of tables are long, and nothing is compared with older ones."""


@dataclass(frozen=True, slots=True)
class RowLog:
    """What the manifests say of databases, for who has no time to fetch them."""

    history: History

    def record(self, key: str, databases: Sequence[DatabaseFacts]) -> None:
        """Note what is known of the databases in an archive, and forget old ones."""
        if not databases:
            return
        values = json.dumps([asdict(each) for each in databases])
        with self.history.opened() as database:
            database.execute(_SCHEMA)
            database.execute("INSERT OR REPLACE INTO row_counts VALUES (?, ?)", (key, values))
            database.execute(
                "DELETE FROM row_counts WHERE rowid NOT IN "
                "(SELECT rowid FROM row_counts ORDER BY rowid DESC LIMIT ?)",
                (_KEPT,),
            )

    def databases(self) -> Mapping[str, tuple[DatabaseFacts, ...]]:
        """Give what is known of the databases of the last archives, by key, the newest first."""
        with self.history.opened() as database:
            database.execute(_SCHEMA)
            rows = database.execute("SELECT * FROM row_counts ORDER BY rowid DESC").fetchall()
        return {row["key"]: tuple(map(_facts, json.loads(row["databases"]))) for row in rows}

    def looking_back(self, max_shrink_percent: int) -> Callable[[DatabaseFacts], DatabaseFacts]:
        """Make what compares a new dump with those noted by now, and adds to its warnings."""
        known = [each for dumps in self.databases().values() for each in dumps]

        def looked_at(facts: DatabaseFacts) -> DatabaseFacts:
            earlier = [each for each in known if each.name == facts.name]
            return warned(facts, earlier, max_shrink_percent)

        return looked_at


def _facts(values: dict[str, object]) -> DatabaseFacts:
    listed = {name: tuple(each) for name, each in values.items() if isinstance(each, list)}
    return DatabaseFacts(**{**values, **listed})  # type: ignore[arg-type]
