"""MongoDB dumps back into a server, by mongorestore."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

from backupd.loaders.feeding import feed, load_errors, scratch_name
from backupd.sources.command import output_of, stream_of
from backupd.sources.mongodb import dumped_collections
from backupd.sources.mongodb_server import MongodbServer

_HALF_LOADED = "The server holds what was loaded until then: load it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class MongodbLoader:
    """Loads into the databases that the dump names; or from one of them into another.

    Collections are called as in the dump, wherever they are. A dump of several databases goes, for
    a trial, into one, whose collections have names with a database before them.
    """

    kinds: ClassVar[Collection[str]] = ("mongodb",)
    all_or_nothing: ClassVar[bool] = False
    name: str
    server: MongodbServer
    dumped: str = ""
    """The one database that is in the dump; "" if they are several, or nobody knows."""
    trial: str = ""
    """The scratch database; "" when it is no trial."""

    def tables(self) -> Mapping[str, int]:
        """Count the documents of every collection, by dumping them to nowhere."""
        said: list[str] = []
        place = self._place
        server = self.server.at(place) if place else self.server
        purpose = f"looking into the database '{place or self.name}'"
        command = server.command("mongodump", "--archive", purpose=purpose)
        with load_errors(""):
            for _ in stream_of(replace(command, on_stderr=said.append)):
                pass
        found = dumped_collections(said)
        return {self._as_dumped(collection): rows for collection, rows in found.items()}

    def load(self, file_name: str, chunks: Iterable[bytes]) -> None:
        """Load a dump; a document that is there already makes it fail."""
        self._restore(file_name, chunks, "--stopOnError")

    def replace(self, file_name: str, chunks: Iterable[bytes]) -> None:
        """Load a dump, and drop each collection that it brings before."""
        self._restore(file_name, chunks, "--stopOnError", "--drop")

    @contextmanager
    def scratch(self) -> Iterator["MongodbLoader"]:
        """Name a database for a trial, which is made by what is loaded; drop it at the end."""
        name = scratch_name()
        with load_errors(""):
            dropping = self.server.at(name).dropping()
        try:
            yield replace(self, trial=name)
        finally:
            with load_errors(f"The scratch database {name} may still be there."):
                output_of(dropping)

    @property
    def _place(self) -> str:
        return self.trial or self.server.access.address.database

    def _as_dumped(self, collection: str) -> str:
        if self.trial:
            return collection.removeprefix(f"{self.trial}.")
        database, _, name = collection.partition(".")
        return f"{self.dumped}.{name}" if self.dumped and database == self._place else collection

    def _restore(self, file_name: str, chunks: Iterable[bytes], *options: str) -> None:
        purpose = f"loading the database '{self.name}'"
        # A database in the address would be taken for a filter of the dump.
        command = self.server.at("").command(
            "mongorestore", "--archive", *options, *self._renaming(), purpose=purpose
        )
        with load_errors(_HALF_LOADED):
            feed(command, file_name, chunks)

    def _renaming(self) -> tuple[str, ...]:
        """Say under which names to restore (mongorestore's manual, "Rename Namespaces")."""
        if self.trial:
            return (
                *("--nsExclude=admin.*", "--nsExclude=config.*"),
                *("--nsFrom=$db$.$name$", f"--nsTo={self.trial}.$db$.$name$"),
                # Of time series, whose buckets have a name of their own; the last rule wins.
                "--nsFrom=$db$.system.buckets.$name$",
                f"--nsTo={self.trial}.system.buckets.$db$.$name$",
            )
        if self.dumped and self._place not in {"", self.dumped}:
            return (f"--nsFrom={self.dumped}.$name$", f"--nsTo={self._place}.$name$")
        return ()
