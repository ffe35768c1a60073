"""Writes below one directory and nowhere else, whatever the names and links in an archive say.

Every directory on the way is opened by its name relative to the one above, and never through a
symbolic link; so a link that an archive, or somebody else, planted leads nowhere. A file is
written beside its place under a random name, gets its owner, mode and time, and is then renamed.
"""

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from backupd.archive.content import Chunk
from backupd.archive.owners import owner_ids
from backupd.errors import BackupdError, RefusedError
from backupd.model import ManifestEntry

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PARTIAL = re.compile(r"\.backupd-[0-9a-f]{16}\.partial")
_KEPT_OPEN = 64
_OWN_RIGHTS = 0o700
_PLAIN_RIGHTS = 0o1777


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The directory to restore into, and how.

    `directories` are those whose owner and mode are known; they are made when something in them
    is.
    """

    root: Path
    directories: Mapping[str, ManifestEntry] = field(default_factory=dict)
    overwrite: bool = False
    owners: bool = field(default_factory=lambda: os.geteuid() == 0)
    """Whether files get their owners; without them nobody gets setuid rights either."""

    @contextmanager
    def opened(self) -> Iterator["Places"]:
        """Give one thread access.

        Raises:
            BackupdError: the directory cannot be made or opened.
        """
        try:
            self.root.mkdir(mode=_OWN_RIGHTS, parents=True, exist_ok=True)
            descriptor = os.open(self.root, _DIRECTORY)
        except OSError as error:
            raise not_restored(error, self.root) from error
        places = Places(self, descriptor)
        try:
            yield places
        finally:
            places.close()


class Places:
    """What stands below a target, reached without ever following a link.

    All methods raise RefusedError if a link or a file stands where a directory must be, and
    BackupdError for whatever else the system says.
    """

    def __init__(self, target: Target, root: int) -> None:
        self._target = target
        self._root = root
        self._open: dict[str, int] = {}

    def close(self) -> None:
        """Close all directories."""
        self._forget()
        os.close(self._root)

    def status(self, path: str) -> os.stat_result | None:
        """Look at what stands there; None if nothing does."""
        parent, _, name = path.rpartition("/")
        with self._translating(path):
            try:
                return os.lstat(name, dir_fd=self._directory(parent))
            except FileNotFoundError:
                return None

    def link_target(self, path: str) -> str:
        """Read a symbolic link."""
        parent, _, name = path.rpartition("/")
        with self._translating(path):
            return os.readlink(name, dir_fd=self._directory(parent))

    def sha256(self, path: str) -> str:
        """Digest a regular file that stands there."""
        parent, _, name = path.rpartition("/")
        with self._translating(path):
            descriptor = os.open(name, _FILE, dir_fd=self._directory(parent))
            with os.fdopen(descriptor, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()

    def sweep(self, path: str) -> None:
        """Remove from one directory what a run that was killed left half-written."""
        with self._translating(path), suppress(FileNotFoundError):
            directory = self._directory(path)
            for name in os.listdir(directory):  # noqa: PTH208  (a descriptor)
                if _PARTIAL.fullmatch(name):
                    os.unlink(name, dir_fd=directory)

    def make_directory(self, path: str) -> None:
        """Make a directory and those above it, unless they are there."""
        with self._translating(path):
            self._made_directory(path)

    def dress_directory(self, entry: ManifestEntry) -> None:
        """Give a directory its owner, mode and time, when nothing more is written into it."""
        with self._translating(entry.path):
            self._dress(self._directory(entry.path), entry)

    def dress_file(self, entry: ManifestEntry) -> None:
        """Give a file that has the right content its owner, mode and time too."""
        parent, _, name = entry.path.rpartition("/")
        with self._translating(entry.path):
            descriptor = os.open(name, _FILE, dir_fd=self._directory(parent))
            try:
                self._dress(descriptor, entry)
            finally:
                os.close(descriptor)

    def write_file(self, entry: ManifestEntry, chunks: Iterable[Chunk]) -> None:
        """Write a file; if `chunks` raises, nothing of it is seen."""
        with self._translating(entry.path), self._publishing(entry.path) as (parent, partial):
            descriptor = os.open(partial, _CREATE, 0o600, dir_fd=parent)
            try:
                for chunk in chunks:
                    _write_all(descriptor, chunk)
                self._dress(descriptor, entry)
            finally:
                os.close(descriptor)

    def write_link(self, entry: ManifestEntry, target: str) -> None:
        """Make a symbolic link; where it leads is nobody's concern here."""
        with self._translating(entry.path), self._publishing(entry.path) as (parent, partial):
            os.symlink(target, partial, dir_fd=parent)
            if self._target.owners:
                uid, gid = owner_ids(entry)
                os.chown(partial, uid, gid, dir_fd=parent, follow_symlinks=False)
            times = (entry.mtime_ns, entry.mtime_ns)
            os.utime(partial, ns=times, dir_fd=parent, follow_symlinks=False)

    def move(self, path: str, other: "Places", new_path: str) -> None:
        """Rename something into another target on the same file system, replacing nothing."""
        above, _, name = path.rpartition("/")
        with self._translating(path):
            other.take(self._directory(above), name, new_path)

    def take(self, directory: int, name: str, path: str) -> None:
        """Rename what stands in an opened directory to a free place here."""
        above, _, new_name = path.rpartition("/")
        with self._translating(path):
            parent = self._made_directory(above)
            self._refuse_existing(new_name, parent, path)
            os.rename(name, new_name, src_dir_fd=directory, dst_dir_fd=parent)

    def remove_empty_directory(self, path: str) -> None:
        """Remove a directory if there is nothing in it."""
        above, _, name = path.rpartition("/")
        self._forget()
        with self._translating(path), suppress(FileNotFoundError):
            try:
                os.rmdir(name, dir_fd=self._directory(above))
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise

    def _dress(self, descriptor: int, entry: ManifestEntry) -> None:
        mode = entry.mode & _PLAIN_RIGHTS
        if self._target.owners:
            os.fchown(descriptor, *owner_ids(entry))  # takes setuid away, so the mode comes after
            mode = entry.mode
        os.fchmod(descriptor, mode)
        os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))

    @contextmanager
    def _publishing(self, path: str) -> Iterator[tuple[int, str]]:
        """Give a directory and a name in it to write to, which then becomes `path`'s own."""
        above, _, name = path.rpartition("/")
        parent = self._made_directory(above)
        partial = f".backupd-{secrets.token_hex(8)}.partial"
        try:
            yield parent, partial
            if not self._target.overwrite:
                self._refuse_existing(name, parent, path)
            os.rename(partial, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with suppress(OSError):
                os.unlink(partial, dir_fd=parent)
            raise

    def _refuse_existing(self, name: str, parent: int, path: str) -> None:
        with suppress(FileNotFoundError):
            os.lstat(name, dir_fd=parent)
            raise in_the_way(self._target.root / path)

    def _made_directory(self, path: str) -> int:
        try:
            return self._directory(path)
        except FileNotFoundError:
            above, _, name = path.rpartition("/")
            parent = self._made_directory(above)
            with suppress(FileExistsError):  # another thread was faster
                os.mkdir(name, _OWN_RIGHTS, dir_fd=parent)
                self._dress_new(self._directory(path), path)
            return self._directory(path)

    def _dress_new(self, directory: int, path: str) -> None:
        """Give a new directory its owner and mode at once: who is killed leaves no closed doors."""
        entry = self._target.directories.get(path)
        if entry is None:
            os.fchmod(directory, 0o755)
            return
        if self._target.owners:
            os.fchown(directory, *owner_ids(entry))
        os.fchmod(directory, entry.mode & _PLAIN_RIGHTS | _OWN_RIGHTS)

    def _directory(self, path: str) -> int:
        """Open a directory that is there, from the root downwards."""
        if not path:
            return self._root
        known = self._open.get(path)
        if known is None:
            above, _, name = path.rpartition("/")
            parent = self._directory(above)
            known = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            if len(self._open) >= _KEPT_OPEN:
                self._forget()
            self._open[path] = known
        return known

    def _forget(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    @contextmanager
    def _translating(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise not_restored(error, self._target.root / path) from error


def in_the_way(path: Path) -> RefusedError:
    """Say that something stands where a member should be written."""
    return RefusedError(
        f"{path} is there already, and not as it is in the backup.",
        hint="Restore into another directory, or replace what is there with --overwrite.",
    )


def _write_all(descriptor: int, chunk: Chunk) -> None:
    written = os.write(descriptor, chunk)
    while written < len(chunk):
        written += os.write(descriptor, memoryview(chunk)[written:])


def not_restored(error: OSError, path: Path) -> BackupdError:
    """Say why something cannot be restored to `path`, and what to do."""
    what = error.strerror or str(error)
    if error.errno in {errno.ENOTDIR, errno.ELOOP}:
        return RefusedError(
            f"{path} cannot be restored: a link or a file stands where one of its directories "
            "must be, and nothing is ever written through a link.",
            hint="Move it away, or restore into another directory.",
        )
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return BackupdError(
            f"{path} cannot be restored: {what}.",
            hint="Free some space and run the same command again: it goes on where it stopped.",
        )
    return BackupdError(
        f"{path} cannot be restored: {what}.",
        hint="Restore into a directory that you may write to, or as root.",
    )
