"""The spool: finished archives that wait until every destination has them."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from pathlib import Path

from backupd.direct import sha256_of
from backupd.durable import create_private, sync_directory, write_private
from backupd.errors import ArchiveError
from backupd.model import Archive, Scope, SpooledArchive
from backupd.naming import archive_time, is_of_set, key_of_partial

_RECORD = ".spooled"
_PARTIAL = ".partial"


def _unknown(_archive: Path) -> Scope | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """A directory of archives of one backup set, with a small record beside each.

    Other sets, and anybody else, may have files in it: only names of this set's are touched.
    Raises ArchiveError where the directory cannot be used.
    """

    path: Path
    set_name: str
    zone: tzinfo
    destinations: Sequence[Path] = ()
    """Directories of local destinations, where an archive is a copy and not ours to remove."""
    scope_of: Callable[[Path], Scope | None] = _unknown
    """Asks an archive itself for its scope where the record beside it has gone."""

    def own(self, purpose: str) -> Path:
        """Name a hidden file or directory of this set's, which no other set uses."""
        return self.path / f".{self.set_name}.{purpose}"

    @property
    def previous(self) -> Path:
        """The newest archive, where it is kept for the next one."""
        return self.own("previous")

    def sweep(self) -> Sequence[str]:
        """Remove what runs that died had begun to write; return what it was."""
        try:
            partial = [path for path in self.path.glob(f"*{_PARTIAL}") if self._is_begun(path)]
            for path in partial:
                path.unlink()
        except OSError as error:
            raise self._unusable(error) from error
        return [path.name for path in partial]

    def record(self, archive: Archive) -> None:
        """Note what is known of an archive, before it gets its name in the spool."""
        try:
            self._note(archive)
        except OSError as error:
            raise self._unusable(error) from error

    def archives(self) -> list[SpooledArchive]:
        """Give what waits here, the oldest first; an archive without a record is read."""
        try:
            return [self._archive(name) for _, name in sorted(self._names())]
        except OSError as error:
            raise self._unusable(error) from error

    def waiting(self) -> list[tuple[datetime, Scope]]:
        """Tell when each archive that waits here was made, and its scope, by its record."""
        try:
            return [(created_at, self._scope(name)) for created_at, name in sorted(self._names())]
        except OSError as error:
            raise self._unusable(error) from error

    def forget_orphans(self) -> None:
        """Remove records whose archive is not here: a run died before it had given it its name."""
        try:
            for record in self.path.glob(f"*{_RECORD}"):
                archive = record.with_name(record.name.removesuffix(_RECORD))
                if self._is_ours(archive.name) and not archive.exists():
                    record.unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def take_in(self, wanted: SpooledArchive, chunks: Iterable[bytes]) -> SpooledArchive:
        """Write an archive that comes from elsewhere, whole or not at all; `wanted` is checked.

        Its SHA-256 may be "" where nobody knows it. Errors of `chunks` pass through.
        """
        partial = self.path / (wanted.name + _PARTIAL)
        digest = hashlib.sha256()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if shutil.disk_usage(self.path).free < wanted.size:
                raise ArchiveError(
                    f"The spool {self.path} has no room for {wanted.name} ({wanted.size:,} bytes).",
                    hint="Free some space there, or set BACKUP_SPOOL to a larger file system.",
                )
            with create_private(partial) as file:
                for chunk in chunks:
                    file.write(chunk)
                    digest.update(chunk)
                file.flush()
                os.fsync(file.fileno())
                size = file.tell()
            if (size, digest.hexdigest()) != (wanted.size, wanted.sha256 or digest.hexdigest()):
                raise ArchiveError(
                    f"What was read of {wanted.name} is not what was kept there.",
                    hint=f"Run 'backupd verify {wanted.name}' to see which copy is damaged.",
                )
            taken = replace(wanted, sha256=digest.hexdigest())
            self._note(taken)
            partial.rename(taken.path)
            sync_directory(self.path)
        except OSError as error:
            raise self._unusable(error) from error
        finally:
            partial.unlink(missing_ok=True)
        return taken

    def remove(self, name: str) -> None:
        """Let go of an archive; one that is a destination's own file, as by a mount, stays."""
        try:
            if not any(each.exists() and each.samefile(self.path) for each in self.destinations):
                (self.path / name).unlink(missing_ok=True)
            (self.path / (name + _RECORD)).unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def _note(self, archive: Archive | SpooledArchive) -> None:
        """Write the record, durably: without it an archive of less would pass for a full one."""
        document = {"size": archive.size, "sha256": archive.sha256, "scope": archive.scope}
        if isinstance(archive, SpooledArchive):
            document |= {"pinned": archive.pinned, "certified": archive.certified}
        record = self.path / (archive.name + _RECORD)
        partial = self.path / (record.name + _PARTIAL)
        write_private(partial, json.dumps(document).encode())
        partial.rename(record)
        sync_directory(self.path)

    def _is_begun(self, path: Path) -> bool:
        name = path.name.removesuffix(_PARTIAL)
        archive = self._is_ours(name.removesuffix(_RECORD))
        beside = is_of_set(self.set_name, key_of_partial(path.name), self.zone)
        ours = archive or beside or name == self.previous.name
        return ours and path.is_file() and not path.is_symlink()

    def _is_ours(self, name: str) -> bool:
        return archive_time(self.set_name, name, self.zone) is not None

    def _names(self) -> Iterator[tuple[datetime, str]]:
        for path in self.path.glob("*.zip"):
            if (created_at := archive_time(self.set_name, path.name, self.zone)) is not None:
                yield created_at, path.name

    def _scope(self, name: str) -> Scope:
        try:
            return Scope(json.loads((self.path / (name + _RECORD)).read_text())["scope"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return self.scope_of(self.path / name) or Scope.FULL

    def _archive(self, name: str) -> SpooledArchive:
        path = self.path / name
        size = path.stat().st_size
        try:
            document = json.loads((self.path / (name + _RECORD)).read_text())
            known = SpooledArchive(
                name=name,
                path=path,
                size=document["size"],
                sha256=document["sha256"],
                scope=Scope(document["scope"]),
                pinned=document.get("pinned", False),
                certified=document.get("certified", True),
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            known = None
        if known is not None and known.size == size:
            return known
        scope = self.scope_of(path) or Scope.FULL
        return SpooledArchive(name=name, path=path, size=size, sha256=sha256_of(path), scope=scope)

    def _unusable(self, error: OSError) -> ArchiveError:
        return ArchiveError(
            f"The spool {self.path} cannot be used: {error.strerror or error}.",
            hint="Set BACKUP_SPOOL to a directory that backupd may write to.",
        )
