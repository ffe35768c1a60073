"""A MongoDB server, spoken to by mongodump and mongorestore."""

import json
from dataclasses import dataclass, replace

from backupd.sources.command import GIVEN_FILE, Command, find_program
from backupd.sources.database_url import DatabaseAccess

_PACKAGE = "mongodb-database-tools"
_SHELL, _SHELL_PACKAGE = "mongosh", "mongodb-mongosh"
_SHELL_LIMIT = 600.0
"""Seconds."""


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
            hidden=self._hidden(),
            time_limit=self.access.time_limit,
            stall_limit=self.access.stall_limit,
        )

    def dropping(self) -> Command:
        """Make the command that drops the address's database: none of the tools can.

        The whole address is in the script; JSON is JavaScript.
        """
        program = find_program((_SHELL,), beside=self.access.program, package=_SHELL_PACKAGE)
        address = self.access.address
        return Command(
            arguments=(program, "--nodb", "--norc", "--quiet", "--file", GIVEN_FILE),
            purpose=f"dropping the database '{address.database}'",
            secret=f"connect({json.dumps(address.uri)}).dropDatabase();\n",
            hidden=self._hidden(),
            time_limit=_SHELL_LIMIT,
            stall_limit=_SHELL_LIMIT,
        )

    def at(self, database: str) -> "MongodbServer":
        """Name another database of the server; who logs in is looked for where it was.

        The connection string's database is where, but for what DNS or another mechanism says
        (https://www.mongodb.com/docs/manual/reference/connection-string-options/).
        """
        address = self.access.address
        options = dict(address.options)
        by_password = options.get("authMechanism", "SCRAM").startswith("SCRAM")
        if address.user and by_password and address.scheme != "mongodb+srv":
            options.setdefault("authSource", address.database or "admin")
        moved = replace(address, database=database, options=options)
        return MongodbServer(access=replace(self.access, address=moved))

    def _hidden(self) -> tuple[str, ...]:
        address = self.access.address
        return address.uri, address.quoted_password, address.password
