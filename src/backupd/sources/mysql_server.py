"""A MySQL or MariaDB server, spoken to by whichever client is there."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from backupd.errors import DumpError
from backupd.sources.advice import advice_on
from backupd.sources.command import GIVEN_FILE, Command, find_program, output_of
from backupd.sources.database_url import DatabaseAccess
from backupd.sources.tables import Table

_PACKAGE = "mariadb-client"
_PROGRAMS = {
    "dump": ("mariadb-dump", "mysqldump"),
    "client": ("mariadb", "mysql"),
}
_SYSTEM = "'information_schema', 'performance_schema', 'mysql', 'sys'"
_HOW_SAFE = "SHOW SESSION STATUS LIKE 'Ssl_cipher';\n"
"""What MariaDB's client must be asked: with `--ssl` it goes on without, if a server has no TLS."""
_SAFE = {"required", "verify-ca", "verify-identity"}
_TABLES = """
SELECT JSON_ARRAY(t.table_name, COALESCE(t.table_rows, 0), COALESCE(t.data_length, 0),
    COALESCE(IF(e.transactions = 'YES', '', t.engine), ''),
    t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED'))
FROM information_schema.tables t LEFT JOIN information_schema.engines e ON e.engine = t.engine
WHERE t.table_schema = DATABASE() ORDER BY t.table_name;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqlServer:
    """A server, and how to reach it.

    Raises DumpError for everything that goes wrong.
    """

    access: DatabaseAccess

    def command(self, role: str, *options: str, purpose: str) -> Command:
        """Make the command of one of the two programs, `dump` or `client`.

        The password file is as https://mariadb.com/kb/en/configuring-mariadb-with-option-files/
        says: in quotation marks, those and backslashes with a backslash before them.
        """
        program = self._program(role)
        address = self.access.address
        password = re.sub(r'(["\\])', r"\\\1", address.password)
        where = {
            "--host": address.host or ("localhost" if address.socket else ""),
            "--port": str(address.port or ""),
            "--socket": address.socket,
            "--user": address.user,
            "--connect-timeout": (
                address.options.get("connect_timeout", "30") if role == "client" else ""
            ),
            **{f"--{name}": address.options.get(name, "") for name in ("ssl-ca", "ssl-cert")},
            "--ssl-key": address.options.get("ssl-key", ""),
        }
        return Command(
            arguments=(
                program,
                f"--defaults-extra-file={GIVEN_FILE}",  # must be the first option
                *(f"{name}={value}" for name, value in where.items() if value),
                *self._tls(program),
                "--default-character-set=utf8mb4",
                "--max-allowed-packet=1G",
                *options,
            ),
            purpose=purpose,
            secret=f'[client]\npassword="{password}"\n' if password else "[client]\n",
            hidden=(address.password, password),
            time_limit=self.access.time_limit,
            stall_limit=self.access.stall_limit,
        )

    def _program(self, role: str) -> str:
        names = (
            (self.access.program,) if role == "dump" and self.access.program else _PROGRAMS[role]
        )
        return find_program(names, beside=self.access.program, package=_PACKAGE)

    def _tls(self, program: str) -> tuple[str, ...]:
        """Say in the client's own way how the connection is to be protected."""
        mode = self.access.address.options.get("ssl-mode", "")
        if not mode:
            return ()
        if not self.is_mariadb(program):
            return (f"--ssl-mode={mode.upper().replace('-', '_')}",)
        return {
            "disabled": ("--skip-ssl",),
            "preferred": (),
            "required": ("--ssl",),  # which is only a wish: see _answer
            "verify-ca": ("--ssl", "--ssl-verify-server-cert"),
            "verify-identity": ("--ssl", "--ssl-verify-server-cert"),
        }[mode]

    def is_mariadb(self, program: str) -> bool:
        """Tell whose client a program is; they differ in a few options."""
        return "MariaDB" in self.version_of(program)

    def version_of(self, program: str) -> str:
        """Ask a program for its version."""
        command = Command(
            arguments=(program, "--version"), purpose="starting", time_limit=60, stall_limit=60
        )
        return output_of(command)

    def own_dump_options(self) -> tuple[str, ...]:
        """Give the options that only one of the two dump programs knows."""
        if self.is_mariadb(self._program("dump")):
            return ()
        # Without these, mysqldump asks for rights and tables that a dump does not need.
        return ("--set-gtid-purged=OFF", "--column-statistics=0")

    def client_mismatch(self, server: str) -> str:
        """Say so if the dump program is another maker's than the server, or older; else ""."""
        program = self._program("dump")
        text = self.version_of(program)
        client = client_version(text)
        if ("MariaDB" in text) != ("MariaDB" in server):
            return f"{program} is not of the same maker as the server ({server})."
        if client and client < server_version(server):
            number = ".".join(map(str, client))
            return (
                f"{program} is of version {number}, older than the server ({server}): what is new "
                "there may be missing from the dump."
            )
        return ""

    def _answer(self, database: str, sql: str) -> list[str]:
        plain = ("--batch", "--skip-column-names", "--raw", "--skip-reconnect")
        purpose = f"asking the database '{database}'" if database else "asking the server"
        use = f"USE {quoted(database)};\n" if database else ""
        # The server may be set to other ways of reading strings and names.
        text = f"SET SESSION sql_mode = '';\n{use}{sql}"
        must_be_safe = self.access.address.options.get("ssl-mode") in _SAFE
        command = self.command("client", *plain, purpose=purpose)
        lines = output_of(command, must_be_safe * _HOW_SAFE + text).splitlines()
        if must_be_safe and not lines.pop(0).partition("\t")[2]:
            raise DumpError(
                "The server offers no TLS, and the address of the database asks for it.",
                hint=advice_on("SSL is required"),
            )
        return lines

    def ask(self, database: str, sql: str) -> list[Any]:
        """Send statements whose rows are one JSON value each, and return those."""
        return [json.loads(line) for line in self._answer(database, sql)]

    def version(self) -> str:
        """Ask the server for its version."""
        return str(self.ask("", "SELECT JSON_QUOTE(VERSION());")[0])

    def databases(self) -> list[str]:
        """Name every database that the user can see, but the server's own."""
        names: list[str] = self.ask(
            "",
            "SELECT JSON_QUOTE(schema_name) FROM information_schema.schemata "  # noqa: S608
            f"WHERE LOWER(schema_name) NOT IN ({_SYSTEM}) ORDER BY schema_name;",
        )
        return names

    def tables(self, database: str) -> list[Table]:
        """List the tables and views of a database; `engine` is set where it has no transactions."""
        return [
            Table("", name, rows=rows, size=size, engine=engine, has_rows=bool(stored), key=name)
            for name, rows, size, engine, stored in self.ask(database, _TABLES)
        ]

    def count(self, database: str, tables: Sequence[Table]) -> dict[str, int]:
        """Count the rows of each table, all as they stand at one moment."""
        counts = [f"SELECT COUNT(*) FROM {quoted(table.name)};" for table in tables]  # noqa: S608
        begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT;"
        rows = self.ask(database, "\n".join([begin, *counts]))
        return {table.key: count for table, count in zip(tables, rows, strict=True)}

    def refuse_unreadable(self, database: str, tables: Sequence[Table]) -> None:
        """Try to read each table, and no row of it.

        Raises:
            DumpError: one of them cannot be read.
        """
        tries = [f"SELECT 1 FROM {quoted(table.name)} LIMIT 0;" for table in tables]  # noqa: S608
        self._answer(database, "\n".join(tries))

    def blind_to(self, database: str, rights: Iterable[str]) -> list[str]:
        """Give those rights that the user lacks on a database as a whole.

        What one has no right on does not even show: a dump passes over it in silence.
        """
        grants = self._answer("", "SHOW GRANTS;")
        return [right for right in rights if not is_granted(grants, right, database)]


def is_granted(grants: Iterable[str], right: str, database: str) -> bool:
    """Tell from what SHOW GRANTS says whether one has a right on a database as a whole.

    A role is trusted: not every server shows the rights that come with it.
    """
    for grant in grants:
        match = re.match(r"GRANT (.*?) ON (?:`(.*)`|(\*))\.\* TO ", grant)
        if match is None:
            if " ON " not in grant and grant.startswith("GRANT "):
                return True
            continue
        rights = {right.strip() for right in match[1].split(",")}
        everywhere = match[3] == "*"
        if rights & {right, "ALL PRIVILEGES"} and (
            everywhere or re.fullmatch(_like(match[2].replace("``", "`")), database, re.DOTALL)
        ):
            return True
    return False


def client_version(text: str) -> tuple[int, ...]:
    """Read the version's first two numbers from what a client says of itself; () if it does not.

    `mysqldump  Ver 8.0.36 for Linux`, `mariadb-dump  Ver 10.19 Distrib 10.11.6-MariaDB`,
    `mariadb-dump from 11.4.2-MariaDB`.
    """
    match = re.search(r"(?:Distrib|from) (\d+)\.(\d+)", text) or re.search(
        r"Ver (\d+)\.(\d+)", text
    )
    return (int(match[1]), int(match[2])) if match else ()


def server_version(text: str) -> tuple[int, ...]:
    """Read the version's first two numbers from what a server says of itself."""
    return tuple(map(int, re.findall(r"\d+", text.removeprefix("5.5.5-"))[:2]))


def _like(pattern: str) -> str:
    """Make a regular expression of what stands for database names in a GRANT."""
    wild = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return "".join(wild.get(part) or re.escape(part[-1]) for part in parts)


def quoted(name: str) -> str:
    """Write a name as SQL takes it, whatever it holds."""
    return "`" + name.replace("`", "``") + "`"
