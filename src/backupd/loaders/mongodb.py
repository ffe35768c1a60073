"""MongoDB dumps back into a server, by mongorestore."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import ClassVar

from backupd.errors import LoadError
from backupd.loaders.feeding import feed, load_errors
from backupd.ports import Loader
from backupd.sources.command import stream_of
from backupd.sources.database_url import DatabaseAddress
from backupd.sources.mongodb import dumped_collections
from backupd.sources.mongodb_server import MongodbServer

_HALF_LOADED = "The server holds what was loaded until then: load it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class MongodbLoader:
    """Loads into the databases that the dump names, and no others."""

    kinds: ClassVar[Collection[str]] = ("mongodb",)
    all_or_nothing: ClassVar[bool] = False
    name: str
    server: MongodbServer

    def tables(self) -> Mapping[str, int]:
        """Count the documents of every collection, by dumping them to nowhere."""
        said: list[str] = []
        purpose = f"looking into the database '{self.name}'"
        command = self.server.command("mongodump", "--archive", purpose=purpose)
        with load_errors(""):
            for _ in stream_of(replace(command, on_stderr=said.append)):
                pass
        return dumped_collections(said)

    def load(self, file_name: str, chunks: Iterable[bytes]) -> None:
        """Load a dump; a document that is there already makes it fail."""
        self._restore(file_name, chunks, "--stopOnError")

    def replace(self, file_name: str, chunks: Iterable[bytes]) -> None:
        """Load a dump, and drop each collection that it brings before."""
        self._restore(file_name, chunks, "--stopOnError", "--drop")

    def scratch(self) -> AbstractContextManager[Loader]:
        """Refuse: no program that a dump needs can drop a database again."""
        raise LoadError(f"A dump of MongoDB ('{self.name}') cannot be loaded for a trial.")

    def _restore(self, file_name: str, chunks: Iterable[bytes], *options: str) -> None:
        purpose = f"loading the database '{self.name}'"
        server = MongodbServer(access=replace(self.server.access, address=self._whole_server()))
        command = server.command("mongorestore", "--archive", *options, purpose=purpose)
        with load_errors(_HALF_LOADED):
            feed(command, file_name, chunks)

    def _whole_server(self) -> DatabaseAddress:
        """Give the address without a database, which would be taken for a filter of the dump."""
        address = self.server.access.address
        options = {"authSource": address.database, **address.options}
        if not (address.user and address.database):
            options = dict(address.options)
        return replace(address, database="", options=options)
