"""A directory on this machine as a destination."""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backupd.direct import sha256_of
from backupd.durable import sync_directory
from backupd.errors import DestinationError, ObjectNotFoundError
from backupd.model import StoredObject
from backupd.naming import key_of_partial, partial_name
from backupd.ports import Gauges, Progress

_CHUNK = 1024 * 1024
_PARTIAL = ".partial"
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def _none(_key: str) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalDirectory:
    """Objects as files of mode 0600 in one directory of mode 0700, which is made when needed.

    Its parent must be there, and so must the directory itself if it `held` backups before: the
    place of a file system that is not mounted is not filled up.

    An object is written beside under a name ending in `.partial`, synced, and only then linked to
    its own name, which fails if the name is taken; the directory is synced after. On the file
    system of the archive's spool a hard link costs nothing. The only files that are listed,
    deleted or swept are regular ones; foreign ones are never touched.
    """

    name: str
    path: Path
    owns: Callable[[str], bool] = _none
    """Tells the keys of this backup set from those of others, whose leftovers are not swept."""
    held: bool = False
    """Whether backups were delivered there before; then it is not made anew."""

    def store(self, key: str, path: Path, *, on_progress: Progress) -> StoredObject:
        """Publish the file at `path` under `key`, all or nothing; if it is there already, well."""
        target = self.path / key
        partial = self.path / partial_name(key)
        try:
            if not self.held:
                self.path.mkdir(mode=0o700, exist_ok=True)
            try:
                digest = _bring(path, partial, on_progress)
                try:
                    _publish(partial, target)
                except FileExistsError:
                    if sha256_of(target) != digest:
                        raise
            finally:
                partial.unlink(missing_ok=True)
            sync_directory(self.path)
            return _stored(key, target.stat(), digest)
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
            with os.scandir(self.path) as entries:
                found = [entry for entry in entries if _is_object(entry, prefix)]
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            if missing and self.path.parent.exists() and not self.held:
                return
            raise self._translated(error, prefix) from error
        for entry in sorted(found, key=lambda entry: entry.name):
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # it vanished meanwhile
            except OSError as error:
                raise self._translated(error, entry.name) from error
            yield _stored(entry.name, status, "")

    def delete(self, keys: Sequence[str]) -> Mapping[str, DestinationError]:
        """Remove the objects one by one, and sync the directory once."""
        failed = {}
        for key in keys:
            try:
                (self.path / key).unlink(missing_ok=True)
            except OSError as error:
                failed[key] = self._translated(error, key)
        try:
            sync_directory(self.path)
        except FileNotFoundError:
            return {}  # without the directory, all are gone
        except OSError as error:
            raise self._translated(error, "") from error
        return failed

    def sweep(self, before: datetime) -> Sequence[str]:
        """Remove this set's partial files that are older than `before`."""
        try:
            partial = self._partial(before)
            for path in partial:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise self._translated(error, "") from error
        return [path.name for path in partial]

    def gauges(self, before: datetime) -> Gauges:
        """Tell its file system's free bytes, and this set's partial files older than `before`."""
        try:
            there = next(path for path in (self.path, *self.path.parents) if path.exists())
            space = os.statvfs(there)
            leftovers = tuple(path.name for path in self._partial(before))
        except OSError as error:
            raise self._translated(error, "") from error
        return Gauges(free_bytes=space.f_bavail * space.f_frsize, leftovers=leftovers)

    def _partial(self, before: datetime) -> Sequence[Path]:
        found = sorted(self.path.glob(f".*{_PARTIAL}"))
        ours = [(path, path.lstat()) for path in found if self.owns(key_of_partial(path.name))]
        return [
            path
            for path, status in ours
            if stat.S_ISREG(status.st_mode) and status.st_mtime < before.timestamp()
        ]

    def _translated(self, error: OSError, key: str) -> DestinationError:
        what = error.strerror or str(error)
        if isinstance(error, FileNotFoundError):
            parent = self.path.parent
            if not parent.exists():
                return DestinationError(
                    f"The destination '{self.name}' is not there: {parent} is missing.",
                    hint=f"Mount the file system that {self.path} is on, or create {parent}.",
                )
            if self.held and not self.path.exists():
                return DestinationError(
                    f"The destination '{self.name}' held backups, and {self.path} is gone.",
                    hint="Mount the disk that it is on. If there is none, or it is a new one: "
                    f"mkdir -m 700 {self.path}",
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
    return sha256_of(partial)


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


def _is_object(entry: "os.DirEntry[str]", prefix: str) -> bool:
    name = entry.name
    named_so = name.startswith(prefix) and not name.endswith(_PARTIAL)
    return named_so and entry.is_file(follow_symlinks=False)


def _stored(key: str, status: os.stat_result, digest: str) -> StoredObject:
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return StoredObject(key=key, size=status.st_size, modified_at=modified, sha256=digest)
