"""Load database dumps from a backup back into the servers that they came from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from backupd.archive.reader import OpenArchive, StoredMember
from backupd.archive.view import ObjectView
from backupd.errors import RefusedError
from backupd.model import DatabaseFacts, MemberKind, Outcome
from backupd.operations.databases import dump_of
from backupd.operations.restore import restoring
from backupd.operations.retrieve import Copies, Reading
from backupd.ports import Loader, Observer, Progress

LoaderFor = Callable[[DatabaseFacts], Loader]
"""Finds the database that a dump belongs to; raises UnknownNameError if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedDump:
    """One dump that was loaded, and what is in the database since."""

    database: str
    dump: str
    size: int
    tables: int
    rows: int
    differences: tuple[str, ...] = ()
    """Where the database is not as the manifest says, a sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """How a restore of databases came out."""

    key: str
    loaded: tuple[LoadedDump, ...]
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Partial if a database is not as the manifest says."""
        differs = any(each.differences for each in self.loaded)
        return Outcome.PARTIAL if differs else Outcome.SUCCEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadDumps:
    """Pipes each dump from the archive into its database, without a file in between.

    Nothing is loaded unless every database can take its dump: it must be empty, or `overwrite`. A
    dump for an engine that cannot take it back is read and checked once before.
    """

    copies: tuple[ObjectView, ...]
    reading: Reading
    loader_for: LoaderFor
    databases: Sequence[str] = ()
    """Only these, by their names in the settings or in the archive; empty: all."""
    overwrite: bool = False
    name: str = field(default="restore")

    def run(self, observe: Observer) -> LoadReport:
        """Do it.

        Raises:
            RefusedError: a database is not empty, or there is no such dump; nothing was loaded.
            LoadError: a dump could not be loaded; those before it are.
            DamagedError, DestinationError: as the archive and the destination say.
        """
        copies = Copies(self.copies, self.reading)
        archive = copies.open_next()
        chosen = [(facts, each, self.loader_for(facts)) for facts, each in self._chosen(archive)]
        if not self.overwrite:
            for _, _, loader in chosen:
                _refuse_unless_empty(loader)
        on_progress = restoring(observe, sum(member.entry.size for _, member, _ in chosen))
        loaded = []
        for facts, member, loader in chosen:
            if not loader.all_or_nothing:
                for _ in _content(archive, member):
                    pass  # it raises if a byte is not as it was written
            put = loader.replace if self.overwrite else loader.load
            put(member.entry.path, _counted(_content(archive, member), on_progress))
            loaded.append(_looked_at(facts, member, loader))
        return LoadReport(key=self.copies[0].key, loaded=tuple(loaded), notes=tuple(copies.notes))

    def _chosen(self, archive: OpenArchive) -> Iterator[tuple[DatabaseFacts, StoredMember]]:
        dumps = {
            member.entry.path: member
            for member in archive.members
            if member.entry.kind is MemberKind.DUMP
        }
        known = archive.manifest.databases if archive.manifest else ()
        there = [(facts, dump_of(facts, tuple(dumps))) for facts in known]
        found = [(facts, dumps[path]) for facts, path in there if path and self._wants(facts.name)]
        missing = [name for name in self.databases if not _named(name, found)]
        if missing or not found:
            names = ", ".join(facts.name for facts, path in there if path) or "none"
            raise RefusedError(
                f"The backup has no dump of {', '.join(missing) or 'a database'}.",
                hint=f"It has dumps of: {names}.",
            )
        yield from found

    def _wants(self, name: str) -> bool:
        return not self.databases or any(_is(name, asked) for asked in self.databases)


def differences(facts: DatabaseFacts, found: dict[str, int]) -> Iterator[str]:
    """Say how a database differs from what was known when it was dumped.

    Rows that were estimated prove nothing; MySQL's and MariaDB's were counted a moment before the
    dump, so there only the loss of more than half is one.
    """
    is_loose = facts.kind in {"mysql", "mariadb"}
    for table, rows in facts.tables.items():
        if table not in found:
            yield f"The table {table} is not there."
        elif facts.exact and found[table] != rows and not (is_loose and found[table] * 2 >= rows):
            yield f"The table {table} has {found[table]} rows; the manifest says {rows}."


def _refuse_unless_empty(loader: Loader) -> None:
    if tables := loader.tables():
        raise RefusedError(
            f"The database '{loader.name}' is not empty: it has {len(tables)} tables and views, "
            f"{next(iter(tables))} for one.",
            hint="Restore to another with --to-url, or replace what is there with --overwrite.",
        )


def _content(archive: OpenArchive, member: StoredMember) -> Iterator[bytes]:
    record = member.record
    raw = archive.view.stream(record.offset, record.end - record.offset)
    yield from archive.content(member, raw)


def _counted(chunks: Iterator[bytes], on_progress: Progress) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        on_progress(len(chunk))


def _looked_at(facts: DatabaseFacts, member: StoredMember, loader: Loader) -> LoadedDump:
    found = dict(loader.tables())
    return LoadedDump(
        database=loader.name,
        dump=member.entry.path,
        size=member.entry.size,
        tables=len(found),
        rows=sum(found.values()),
        differences=tuple(differences(facts, found)),
    )


def _named(asked: str, found: Sequence[tuple[DatabaseFacts, StoredMember]]) -> bool:
    return any(_is(facts.name, asked) for facts, _ in found)


def _is(name: str, asked: str) -> bool:
    """Tell whether a dump's name is what was asked for: itself, or its whole server."""
    return asked in {name, name.partition(".")[0]}
