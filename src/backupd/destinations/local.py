"""A directory on this machine as a destination."""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backupd.errors import DestinationError, ObjectNotFoundError
from backupd.model import StoredObject
from backupd.ports import Progress

_CHUNK = 1024 * 1024
_PARTIAL = ".partial"
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalDirectory:
    """Objects as files of mode 0600 in one directory of mode 0700, which is made when needed.

    Its parent must be there: the place of a file system that is not mounted is not filled up.

    An object is written beside under a name ending in `.partial`, synced, and only then linked to
    its own name, which fails if the name is taken; the directory is synced after. On the file
    system of the archive's spool a hard link costs nothing. The only files that are listed,
    deleted or swept are regular ones; foreign ones are never touched.
    """

    name: str
    path: Path

    def store(self, key: str, path: Path, *, on_progress: Progress) -> StoredObject:
        """Publish the file at `path` under `key`, all or nothing; if it is there already, well."""
        target = self.path / key
        partial = self.path / f".{key}.{secrets.token_hex(4)}{_PARTIAL}"
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            try:
                digest = _bring(path, partial, on_progress)
                try:
                    _publish(partial, target)
                except FileExistsError:
                    if _digest(target) != digest:
                        raise
            finally:
                partial.unlink(missing_ok=True)
            _sync_directory(self.path)
            return _stored(target, digest)
        except OSError as error:
            raise self._translated(error, key) from error

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Give the object's bytes in chunks of at most 1 MiB."""
        try:
            file = (self.path / key).open("rb")
        except OSError as error:
            raise self._translated(error, key) from error
        with file:
            left = length
            try:
                file.seek(start)
                chunk = file.read(_next_size(left))
            except OSError as error:
                raise self._translated(error, key) from error
            while chunk:
                yield chunk
                left = None if left is None else left - len(chunk)
                try:
                    chunk = file.read(_next_size(left))
                except OSError as error:
                    raise self._translated(error, key) from error

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Give the finished objects by name; a directory that is not there yet is empty."""
        try:
            names = sorted(os.listdir(self.path))  # noqa: PTH208  (names, not paths)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._translated(error, prefix) from error
        for name in names:
            if not name.startswith(prefix) or name.endswith(_PARTIAL):
                continue
            with suppress(FileNotFoundError):
                if (self.path / name).is_file() and not (self.path / name).is_symlink():
                    yield _stored(self.path / name, "")

    def delete(self, key: str) -> None:
        """Remove the object, durably."""
        try:
            (self.path / key).unlink()
            _sync_directory(self.path)
        except OSError as error:
            raise self._translated(error, key) from error

    def sweep(self, before: datetime) -> Sequence[str]:
        """Remove partial files that are older than `before`."""
        swept = []
        try:
            for path in sorted(self.path.glob(f".*{_PARTIAL}")):
                if path.lstat().st_mtime < before.timestamp():
                    path.unlink()
                    swept.append(path.name)
        except OSError as error:
            raise self._translated(error, "") from error
        return swept

    def _translated(self, error: OSError, key: str) -> DestinationError:
        what = error.strerror or str(error)
        if isinstance(error, FileNotFoundError):
            parent = self.path.parent
            if not parent.exists():
                return DestinationError(
                    f"The destination '{self.name}' cannot be made: {parent} is not there.",
                    hint=f"Mount the file system that {self.path} is on, or create {parent}.",
                )
            return ObjectNotFoundError(f"There is no {key} at '{self.name}'.")
        if isinstance(error, FileExistsError):
            return DestinationError(
                f"'{self.name}' already keeps something under the name {key}, which stays.",
                hint=f"Look at {self.path / key}; move it away if it is not yours.",
            )
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return DestinationError(
                f"The destination '{self.name}' ({self.path}) is full: {what}.",
                hint="Free some space, or let 'backupd clean' keep less.",
            )
        return DestinationError(
            f"The destination '{self.name}' ({self.path}) failed: {what}.",
            hint=f"Check that {self.path} is mounted and that backupd may write to it.",
        )


def _next_size(left: int | None) -> int:
    return _CHUNK if left is None else min(_CHUNK, left)


def _bring(source: Path, partial: Path, on_progress: Progress) -> str:
    """Link or copy, and return the SHA-256 of what now stands at `partial`, read back."""
    try:
        os.link(source, partial)
    except OSError:
        _copy(source, partial, on_progress)
    else:
        on_progress(source.stat().st_size)
    return _digest(partial)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(source: Path, partial: Path, on_progress: Progress) -> None:
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with source.open("rb") as given, os.fdopen(descriptor, "wb") as output:
        while chunk := given.read(_CHUNK):
            output.write(chunk)
            on_progress(len(chunk))
        output.flush()
        os.fsync(output.fileno())


def _publish(partial: Path, target: Path) -> None:
    """Give the finished file its name, unless the name is taken."""
    try:
        os.link(partial, target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        partial.rename(target)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stored(path: Path, digest: str) -> StoredObject:
    status = path.stat()
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return StoredObject(key=path.name, size=status.st_size, modified_at=modified, sha256=digest)
