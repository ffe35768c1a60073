"""A SQLite database as a dump: a consistent copy by the online backup API, then checked.

The copy is made inside one read transaction: other processes go on writing (in WAL mode without
waiting at all) and none of what they write gets into the copy (https://www.sqlite.org/backup.html).
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from pathlib import Path
from urllib.parse import quote

from backupd.errors import DumpError
from backupd.model import DatabaseFacts, Member, MemberKind
from backupd.naming import dump_path

_PAGES_PER_STEP = 4096
_CHUNK = 1 << 20
_RACY_NS = 5 * 1_000_000_000
_CHANGE_COUNTER = slice(24, 28)
"""In the file's header (https://www.sqlite.org/fileformat.html#file_change_counter)."""
_FORMAT_VERSIONS = slice(18, 20)
"""The same, #file_format_version_numbers: both are 2 in WAL mode."""
_NO_SHARED_MEMORY = {sqlite3.SQLITE_READONLY_DIRECTORY, sqlite3.SQLITE_CANTOPEN}
_WAL_HEADER = 32
"""Bytes; with salts that change whenever the log begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteDatabase:
    """One SQLite database file; its dump is a database file too, named `….sqlite`.

    The copy is made in `scratch`, which must have room for it. Never creates a database that is
    not there. Raises DumpError for a missing, locked or corrupt database.
    """

    name: str
    path: Path
    scratch: Path
    when: datetime
    zone: tzinfo
    lock_timeout: float = 60.0
    """Seconds to wait for a writer that holds the database locked."""

    def members(self) -> Iterator[Member]:
        """Give the dump as the only member; the copy is made and checked when it is read."""
        status = self._look()
        facts = DatabaseFacts(
            name=self.name,
            kind="sqlite",
            version=sqlite3.sqlite_version,
            state=self._state(),  # before the copy: what is written meanwhile shows next time
        )
        tables: dict[str, int] = {}
        yield Member(
            path=dump_path("sqlite", self.name, self.when, self.zone, "sqlite"),
            kind=MemberKind.DUMP,
            size=status.st_size,
            mtime_ns=int(self.when.timestamp()) * 1_000_000_000,
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid,
            gid=status.st_gid,
            stream=lambda: self._dump(tables),
            database=facts,
            facts=lambda: replace(facts, tables=tables),
        )

    def _state(self) -> str:
        """Say what the database's files are, which any write to it changes; "" if nobody can tell.

        That is so if they were changed so late that another change might show the same times, and
        if a transaction is under way, or was cut short, in a rollback journal. Of the `-wal`, the
        time of its inode does not count, which changes when SQLite opens it as root.
        """
        latest = int(self.when.timestamp()) * 1_000_000_000 - _RACY_NS
        # SQLite keeps the others beside the file itself, wherever links to it stand.
        path, wal, _, journal = _family(Path(os.path.realpath(self.path)))
        try:
            file = path.stat()
            log = wal.stat() if wal.exists() else None
            head = _start(path, _CHANGE_COUNTER.stop)[_CHANGE_COUNTER]
            said = [head.hex(), file.st_size, file.st_mtime_ns, file.st_ctime_ns, file.st_ino]
            times = [file.st_mtime_ns, file.st_ctime_ns]
            if log and log.st_size:
                said += [_start(wal, _WAL_HEADER).hex(), log.st_size, log.st_mtime_ns]
                times.append(log.st_mtime_ns)
        except OSError:
            return ""
        return "" if journal.exists() or max(times) >= latest else " ".join(map(str, said))

    def _dump(self, tables: dict[str, int]) -> Iterator[bytes]:
        """Copy the database, check the copy, note the rows of its tables and give its bytes."""
        copy = self.scratch / f"{self.name}.sqlite"
        copy.unlink(missing_ok=True)
        copy.touch(mode=0o600)
        try:
            self._copy(copy)
            tables.update(self._checked_tables(copy))
        except sqlite3.Error as error:
            raise self._translated(error) from error
        with copy.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
        copy.unlink()

    def _look(self) -> os.stat_result:
        try:
            status = self.path.stat()
        except PermissionError as error:
            raise self._closed(error.strerror) from error
        except OSError as error:
            raise DumpError(
                f"The SQLite database '{self.name}' cannot be found at {self.path}: "
                f"{error.strerror}.",
                hint=f"Correct BACKUP_DATABASES__{self.name.upper()}__URL; "
                "backupd never creates a database.",
            ) from error
        if not stat.S_ISREG(status.st_mode):
            raise DumpError(f"{self.path}, the SQLite database '{self.name}', is not a file.")
        return status

    def _copy(self, copy: Path) -> None:
        path = Path(os.path.realpath(self.path))
        try:
            self._copy_from(_uri(path, "mode=ro"), copy)
        except sqlite3.OperationalError as error:
            # A database in WAL mode whose folder backupd may not write to, and which nobody has
            # open: there is no shared memory to join, and nobody to be consistent with. Where a
            # log or a journal stands beside it, the file alone is not the database.
            if error.sqlite_errorcode not in _NO_SHARED_MEMORY or not _is_alone(path):
                raise
            before = _size_and_time(path)
            self._copy_from(_uri(path, "mode=ro&immutable=1"), copy)
            if not _is_alone(path) or _size_and_time(path) != before:
                raise sqlite3.OperationalError("it was opened for writing meanwhile") from None

    def _copy_from(self, uri: str, copy: Path) -> None:
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=self.lock_timeout)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.isolation_level = None
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            source.backup(target, pages=_PAGES_PER_STEP, sleep=0.05)

    def _checked_tables(self, copy: Path) -> dict[str, int]:
        """Check the copy page by page and count its rows by table."""
        with closing(sqlite3.connect(_uri(copy, "mode=ro&immutable=1"), uri=True)) as database:
            findings = [row[0] for row in database.execute("PRAGMA quick_check(5)")]
            if findings != ["ok"]:
                raise sqlite3.DatabaseError("; ".join(map(str, findings)))
            names = database.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' "
                "AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND sql NOT LIKE 'CREATE VIRTUAL%' "
                "ORDER BY name"
            )
            return {name: _rows(database, name) for (name,) in names.fetchall()}

    def _translated(self, error: sqlite3.Error) -> DumpError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return DumpError(
                f"The SQLite database '{self.name}' ({self.path}) was locked by another process "
                f"for more than {self.lock_timeout:g} seconds.",
                hint="Find who holds a transaction open on it (fuser names the processes), "
                f"or raise BACKUP_DATABASES__{self.name.upper()}__TIMEOUT.",
            )
        if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}:
            return self._closed(error)
        return DumpError(
            f"The SQLite database '{self.name}' ({self.path}) cannot be copied whole: {error}.",
            hint=f"It may be damaged: run 'sqlite3 {self.path} \"PRAGMA integrity_check\"'. "
            "Backups taken earlier are untouched.",
        )

    def _closed(self, reason: object) -> DumpError:
        return DumpError(
            f"The SQLite database '{self.name}' ({self.path}) cannot be opened: {reason}.",
            hint="Check that backupd may read it, and its -wal and -shm files beside it.",
        )


def _is_alone(path: Path) -> bool:
    """Tell whether it is a database in WAL mode, without a log, and without a journal."""
    _, wal, _, journal = _family(path)
    in_wal_mode = _start(path, _FORMAT_VERSIONS.stop)[_FORMAT_VERSIONS] == b"\2\2"
    return in_wal_mode and not wal.exists() and not journal.exists()


def _start(path: Path, length: int) -> bytes:
    with path.open("rb") as file:
        return file.read(length)


def _uri(path: Path, options: str) -> str:
    return f"file:{quote(os.fsencode(path.absolute()))}?{options}"


def _size_and_time(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _rows(database: sqlite3.Connection, table: str) -> int:
    quoted = table.replace('"', '""')
    row: tuple[int] = database.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()  # noqa: S608
    return row[0]


def live_files(path: Path) -> tuple[Path, ...]:
    """Name the files of a live database, which its dump stands for, beside a link and behind it."""
    real = Path(os.path.realpath(path))
    return tuple(dict.fromkeys([*_family(path), *_family(real)]))


def _family(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + ending) for ending in ("", "-wal", "-shm", "-journal"))
