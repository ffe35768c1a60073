"""Restored SQLite dumps: opened, checked page by page, and counted against the manifest."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from backupd.model import DatabaseFacts, Manifest
from backupd.reports import Flaw
from backupd.words import plural

_STAMP = r"\d{4}-\d{2}-\d{2}-\d{2}-\d{2}-\d{2}"
_FINDINGS = 5


def dump_of(database: DatabaseFacts, dumps: Sequence[str]) -> str:
    """Find a database's dump among the paths of an archive's dumps; "" if it is not there."""
    pattern = rf"db-dumps/{re.escape(f'{database.kind}-{database.name}')}-{_STAMP}\..+"
    return next((dump for dump in dumps if re.fullmatch(pattern, dump)), "")


def check_dumps(
    manifest: Manifest | None, dumps: Sequence[str], folder: Path
) -> tuple[tuple[str, ...], tuple[Flaw, ...]]:
    """Open every SQLite dump below `folder`; return the databases that are good, and flaws.

    Tables are counted against the manifest where it has exact figures. A dump that the manifest
    has no figures for (another program's archive) is only checked.
    """
    known = {dump_of(each, dumps): each for each in (manifest.databases if manifest else ())}
    good, flaws = [], []
    for dump in dumps:
        if not dump.endswith(".sqlite"):
            continue
        facts = known.get(dump)
        found = list(_flaws(folder / dump, facts))
        flaws += [Flaw(path=dump, what=what) for what in found]
        if not found:
            good.append(facts.name if facts else Path(dump).name)
    return tuple(good), tuple(flaws)


def _flaws(path: Path, facts: DatabaseFacts | None) -> Iterator[str]:
    try:
        with closing(open_read_only(path)) as database:
            yield from integrity_findings(database)
            if facts and facts.exact:
                yield from _wrong_counts(database, facts)
    except sqlite3.Error as error:
        yield f"the database cannot be read: {error}"


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a database that nobody else has open, without leaving anything beside it."""
    return sqlite3.connect(f"file:{quote(bytes(path))}?mode=ro&immutable=1", uri=True)


def integrity_findings(database: sqlite3.Connection) -> Iterator[str]:
    """Check a whole database (https://www.sqlite.org/pragma.html#pragma_integrity_check)."""
    for (finding,) in database.execute(f"PRAGMA integrity_check({_FINDINGS})"):
        if finding != "ok":
            yield f"integrity_check: {finding}"


def _wrong_counts(database: sqlite3.Connection, facts: DatabaseFacts) -> Iterator[str]:
    for table, rows in facts.tables.items():
        quoted = table.replace('"', '""')
        (found,) = database.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()  # noqa: S608
        if found != rows:
            yield f"table {table} has {plural(found, 'row')}; the manifest says {rows}"
