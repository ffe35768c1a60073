"""Dumps of database servers, loaded for a trial: what a drill finds out about them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from backupd.errors import LoadError
from backupd.model import DatabaseFacts, Manifest
from backupd.operations.databases import dump_of
from backupd.operations.load import differences
from backupd.ports import Loader
from backupd.reports import Flaw

_CHUNK = 1024 * 1024


def try_dumps(
    manifest: Manifest | None, dumps: Sequence[str], folder: Path, loader: Loader
) -> tuple[tuple[str, ...], tuple[Flaw, ...]]:
    """Load each dump below `folder` that the loader's server takes into a database of its own.

    Return the databases that came back as the manifest says, and what is wrong with the others.
    """
    good, flaws = [], []
    for facts in manifest.databases if manifest else ():
        dump = dump_of(facts, dumps)
        if not dump or facts.kind not in loader.kinds:
            continue
        found = list(_wrong(facts, folder / dump, loader))
        flaws += [Flaw(path=dump, what=what) for what in found]
        if not found:
            good.append(facts.name)
    return tuple(good), tuple(flaws)


def _wrong(facts: DatabaseFacts, path: Path, loader: Loader) -> Iterator[str]:
    try:
        with loader.scratch() as scratch, path.open("rb") as file:
            scratch.load(path.name, iter(lambda: file.read(_CHUNK), b""))
            yield from differences(facts, dict(scratch.tables()))
    except LoadError as error:
        yield f"it cannot be loaded: {error}"
