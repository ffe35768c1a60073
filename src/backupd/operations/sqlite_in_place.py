"""A SQLite database put back into place through SQLite itself, and taken back if need be."""

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from urllib.parse import quote

from backupd.errors import BackupdError
from backupd.operations.databases import integrity_findings

_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_BESIDE = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteInPlace:
    """One live database file.

    Its content is replaced by the backup API, in one transaction: whoever has it open goes on with
    the new content, the write-ahead log is taken care of, and a kill in the middle leaves the old
    content (https://www.sqlite.org/backup.html). A live file that SQLite cannot read is moved
    aside with what stands beside it instead.
    """

    path: Path
    root: Path | None = None
    """The application's; a link that was restored may lead to anywhere in it."""
    was_at: Path | None = None
    """Where the database really was before anything was restored."""
    lock_timeout: float = 30.0
    """Seconds to wait for somebody who holds the database locked."""

    @property
    def file(self) -> Path:
        """Where it really is: behind a link, but one out of an archive leads to no new place.

        Raises:
            BackupdError: it does.
        """
        real = Path(os.path.realpath(self.path))
        inside = self.root is not None and real.is_relative_to(os.path.realpath(self.root))
        if inside or real in {self.was_at, self.path}:
            return real
        raise BackupdError(
            f"The database {self.path} cannot be replaced: a link in the backup leads to {real}, "
            f"outside {self.root}.",
            hint=f"If that is where it belongs, make the link first (ln -s {real} {self.path}), "
            "then restore again.",
        )

    def put(self, restored: Path, saved: Path) -> None:
        """Save the live content under `saved`, a directory; then replace it by `restored`.

        Raises:
            BackupdError: it is locked, or came out damaged; `undo` brings the old content back.
        """
        file = self.file
        try:
            saved.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._save(saved):
                self._replace_content(restored, saved)
            else:
                self._move_in(restored)
            with closing(_connect(file, "ro", self.lock_timeout)) as database:
                findings = list(integrity_findings(database))
        except (sqlite3.Error, OSError) as error:
            raise self._failed(str(error)) from error
        if findings:
            raise self._failed("; ".join(findings))

    def _save(self, saved: Path) -> bool:
        """Keep the old content; return whether the live database can be written through SQLite."""
        if not self.file.exists():
            (saved / "absent").touch()
            return False
        partial = saved / "content.partial"
        partial.unlink(missing_ok=True)
        try:
            _copy(self.file, partial, self.lock_timeout)
            partial.rename(saved / "content.sqlite")
        except sqlite3.OperationalError:
            raise  # it is locked, and somebody is using it
        except sqlite3.DatabaseError:
            (saved / "files").mkdir(exist_ok=True)
            for file in self._files():
                if file.exists():
                    shutil.move(file, saved / "files" / file.name)
            return False
        return True

    def _replace_content(self, restored: Path, saved: Path) -> None:
        try:
            _copy(restored, self.file, self.lock_timeout)
        except sqlite3.Error:
            (saved / "content.sqlite").unlink()  # nothing was replaced, so nothing is put back
            raise

    def _move_in(self, restored: Path) -> None:
        file = self.file
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".{file.name}.partial")
        shutil.copy2(restored, partial)
        status = restored.stat()
        with suppress(PermissionError):  # only root may
            shutil.chown(partial, status.st_uid, status.st_gid)
        partial.replace(file)

    def undo(self, saved: Path) -> None:
        """Bring the old content back, as far as `put` came; `saved` is used up by that.

        Raises:
            BackupdError: it cannot be; what is saved stays where it is.
        """
        content, files = saved / "content.sqlite", saved / "files"
        try:
            if content.exists():
                _copy(content, self.file, self.lock_timeout)
            elif files.exists():
                for file in files.iterdir():
                    shutil.move(file, self.file.with_name(file.name))
            elif (saved / "absent").exists():
                for file in self._files():
                    file.unlink(missing_ok=True)
            shutil.rmtree(saved, ignore_errors=True)
        except (sqlite3.Error, OSError) as error:
            raise BackupdError(
                f"The old content of {self.path} cannot be put back: {error}.",
                hint=f"It is kept in {saved}: stop the application and copy it by hand.",
            ) from error

    def _files(self) -> list[Path]:
        file = self.file
        return [file.with_name(file.name + ending) for ending in _BESIDE]

    def _failed(self, what: str) -> BackupdError:
        return BackupdError(
            f"The database {self.path} cannot be replaced: {what}.",
            hint="Stop the application first, or let BACKUP_RESTORE__BEFORE do it.",
        )


def _copy(source: Path, target: Path, timeout: float) -> None:
    """Make `target` what `source` is, in one transaction; raise if it stays locked."""
    ends = monotonic() + timeout

    def give_up(status: int, _remaining: int, _total: int) -> None:
        if status in _LOCKED and monotonic() > ends:
            raise sqlite3.OperationalError("it is in use, and stays locked")

    with (
        closing(_connect(source, "ro", timeout)) as given,
        closing(_connect(target, "rwc", timeout)) as taken,
    ):
        if _page_size(given) != _page_size(taken):  # which a write-ahead log cannot change
            taken.execute("PRAGMA journal_mode = DELETE")
        given.backup(taken, progress=give_up)


def _page_size(database: sqlite3.Connection) -> int:
    database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    (size,) = database.execute("PRAGMA page_size").fetchone()
    return int(size)


def _connect(path: Path, mode: str, timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(bytes(path))}?mode={mode}", uri=True, timeout=timeout)
