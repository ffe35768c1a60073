"""Load database dumps from a backup back into the servers that they came from."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from backupd.archive.reader import OpenArchive, StoredMember
from backupd.archive.view import ObjectView
from backupd.errors import BackupdError, DamagedError, DestinationError, LoadError, RefusedError
from backupd.model import DatabaseFacts, MemberKind, Outcome
from backupd.operations.databases import dump_of
from backupd.operations.restore import restoring
from backupd.operations.retrieve import Copies, Reading
from backupd.ports import Loader, Observer, Progress
from backupd.words import few, plural

LoaderFor = Callable[[DatabaseFacts], Loader]
"""Finds the database that a dump belongs to; raises UnknownNameError if there is none."""
Put = Callable[[str, Iterable[bytes]], None]
"""A loader's `load` or `replace`."""


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
    dump for an engine that cannot take it back is read and checked once before. What one copy of
    the backup cannot give comes from the next.
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
            LoadError: a dump could not be loaded, or no copy has it whole; those before it are.
            DamagedError, DestinationError: no copy can be opened; nothing was loaded.
        """
        copies = Copies(self.copies, self.reading)
        archive = copies.open_next()
        chosen = [(facts, each, self.loader_for(facts)) for facts, each in self._chosen(archive)]
        if not self.overwrite:
            for _, _, loader in chosen:
                _refuse_unless_empty(loader)
        on_progress = restoring(observe, sum(member.entry.size for _, member, _ in chosen))
        loading = _Loading(copies, archive, on_progress)
        loaded = list[LoadedDump]()
        for facts, member, loader in chosen:
            loading.load(member, loader, loader.replace if self.overwrite else loader.load)
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


@dataclass(slots=True)
class _Loading:
    """Loads dumps from one copy of the backup, and from the next where that one fails."""

    copies: Copies
    archive: OpenArchive
    on_progress: Progress
    loaded: list[str] = field(default_factory=list)

    def load(self, member: StoredMember, loader: Loader, put: Put) -> None:
        """Load one dump; what an engine cannot take back, a dump from another copy replaces."""
        path, begun = member.entry.path, False
        while True:
            try:
                if not loader.all_or_nothing:
                    for _ in self._content(member):
                        pass  # it raises if a byte is not as it was written
                begun = True
                put(path, _counted(self._content(member), self.on_progress))
            except (DamagedError, DestinationError) as error:
                self._turn_to_the_next_copy(error, self._state(loader, begun))
                put = loader.replace if begun and not loader.all_or_nothing else put
            else:
                self.loaded.append(loader.name)
                return

    def _content(self, member: StoredMember) -> Iterator[bytes]:
        """Give a dump from the copy at hand, where it is the same by the manifest."""
        for each in self.archive.members:
            if each.entry == member.entry:
                record = each.record
                raw = self.archive.view.stream(record.offset, record.end - record.offset)
                return map(bytes, self.archive.content(each, raw))
        raise DamagedError(f"Another copy of the backup has another {member.entry.path}.")

    def _turn_to_the_next_copy(self, error: BackupdError, state: str) -> None:
        where = self.archive.view.where
        self.copies.notes.append(f"The copy at '{where}' was given up: {error}")
        try:
            self.archive = self.copies.open_next()
        except (DamagedError, DestinationError):
            raise LoadError(f"{error} {state}", hint=error.hint) from error

    def _state(self, loader: Loader, begun: bool) -> str:  # noqa: FBT001  (it is a fact)
        """Say how the databases are left if no copy is whole."""
        name = f"The database '{loader.name}'"
        left = f"{name} is half loaded: load it again with --overwrite."
        if loader.all_or_nothing or not begun:
            left = f"{name} is as it was before."
        before = f" Loaded before it: {', '.join(self.loaded)}." if self.loaded else ""
        return f"No other copy is left to try. {left}{before}"


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
            yield f"The table {table} has {plural(found[table], 'row')}; the manifest says {rows}."


def _refuse_unless_empty(loader: Loader) -> None:
    if tables := loader.tables():
        raise RefusedError(
            f"The database '{loader.name}' is not empty: it has {few(tuple(tables))}.",
            hint="Restore to another with --to-url, or replace what is there with --overwrite.",
        )


def _counted(chunks: Iterator[bytes], on_progress: Progress) -> Iterator[bytes]:
    done = 0
    try:
        for chunk in chunks:
            yield chunk
            done += len(chunk)
            on_progress(len(chunk))
    except (DamagedError, DestinationError):
        on_progress(-done)  # it begins again, with another copy
        raise


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
