"""MongoDB databases as dumps: one archive that mongodump writes and mongorestore reads."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from backupd.model import DatabaseFacts, Member
from backupd.sources.command import Command, stream_of
from backupd.sources.dump import Compression, DumpOccasion, DumpShape, believable, compressed
from backupd.sources.mongodb_server import MongodbServer
from backupd.sources.options import mongodump_selection
from backupd.sources.sighting import Sighting
from backupd.sources.tables import ALL_TABLES, TableSelection

# Magic number and terminator: https://github.com/mongodb/mongo-tools/blob/master/common/archive
_SHAPE = DumpShape(
    extension="archive", minimum=50, begins=b"\x6d\xe2\x99\x81", ends=b"\xff\xff\xff\xff"
)
_THE_SERVERS_OWN = ("admin.", "config.", "local.")
_DONE = re.compile(r"done dumping `?(?P<name>.+?)`? \((?P<rows>\d+) documents?\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class MongodbDatabase:
    """One database, or all of a server whose address names none, as one dump.

    Collections are dumped one after the other: what is written meanwhile may be in one and not
    in another, unless OPTIONS holds `--oplog` (a whole replica set). Raises DumpError.
    """

    name: str
    server: MongodbServer
    when: datetime
    zone: tzinfo
    selection: TableSelection = ALL_TABLES
    compression: Compression = Compression.NONE
    options: Sequence[str] = ()

    def members(self) -> Iterator[Member]:
        """Make sure that the program is there, and give the dump."""
        self._command([])
        occasion = DumpOccasion(kind="mongodb", name=self.name, when=self.when, zone=self.zone)
        extension = _SHAPE.extension + (".gz" if self.compression is Compression.GZIP else "")
        yield occasion.member(extension, "", lambda learnt: self._dump(occasion, learnt))

    def examine(self) -> Iterator[Sighting]:
        """Look for the programs; there is none that could ask the server anything else.

        Raises:
            DumpError: a dump would fail, for this reason.
        """
        for name in ("mongodump", "mongorestore"):
            self.server.command(name, purpose="dumping")
        yield Sighting("mongodump and mongorestore are there; only a dump tries the connection.")

    def _dump(self, occasion: DumpOccasion, learnt: list[DatabaseFacts]) -> Iterator[bytes]:
        said: list[str] = []
        chunks = believable(stream_of(self._command(said)), _SHAPE, self.name)
        yield from compressed(chunks, self.compression)
        database = self.server.access.address.database
        learnt.append(
            occasion.facts(
                version="",
                exact=True,
                tables=dumped_collections(said),
                left_out=tuple(f"{database}.{name}" for name in self.selection.exclude),
            )
        )

    def _command(self, said: list[str]) -> Command:
        purpose = f"dumping the database '{self.server.access.address.database or self.name}'"
        options = ("--archive", *mongodump_selection(self.selection), *self.options)
        command = self.server.command("mongodump", *options, purpose=purpose)
        return replace(command, on_stderr=said.append)


def dumped_collections(said: Sequence[str]) -> dict[str, int]:
    """Read from what mongodump says how many documents of which collection it dumped.

    What the server keeps for itself, as users and its version, is not counted. A time series is
    counted by its buckets.
    """
    matches = filter(None, map(_DONE.search, said))
    return {
        match["name"].replace(".system.buckets.", ".", 1): int(match["rows"])
        for match in matches
        if not match["name"].startswith(_THE_SERVERS_OWN)
    }
