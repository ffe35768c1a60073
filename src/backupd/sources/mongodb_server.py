"""A MongoDB server, spoken to by mongodump and mongorestore."""

import json
from dataclasses import dataclass

from backupd.sources.command import GIVEN_FILE, Command, find_program
from backupd.sources.database_url import DatabaseAccess

_PACKAGE = "mongodb-database-tools"


@dataclass(frozen=True, slots=True, kw_only=True)
class MongodbServer:
    """A server, and how to reach it."""

    access: DatabaseAccess

    def command(self, name: str, *options: str, purpose: str) -> Command:
        """Make the command of mongodump or mongorestore.

        The whole address is in the configuration file; JSON is YAML
        (https://www.mongodb.com/docs/database-tools/mongodump/#std-option-mongodump.--config).
        """
        address = self.access.address
        own = name == "mongodump" and self.access.program
        program = find_program(
            (self.access.program,) if own else (name,), beside=self.access.program, package=_PACKAGE
        )
        return Command(
            arguments=(program, f"--config={GIVEN_FILE}", *options),
            purpose=purpose,
            secret=f"uri: {json.dumps(address.uri)}\n",
            hidden=(
                address.uri,
                address.quoted_password,
                address.password,
            ),
            time_limit=self.access.time_limit,
            stall_limit=self.access.stall_limit,
        )
