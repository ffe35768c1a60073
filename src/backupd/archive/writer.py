"""Members in, one standard ZIP out."""

import hashlib
import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from grp import getgrgid
from pathlib import Path
from pwd import getpwuid
from zoneinfo import ZoneInfo

import pyzipper

from backupd.archive.manifest import MANIFEST_PATH, manifest_lines
from backupd.archive.restore_text import RESTORE_PATH, restore_text
from backupd.archive.zipinfo import zip_info
from backupd.errors import ArchiveError
from backupd.model import (
    Archive,
    ArchiveHeader,
    DatabaseFacts,
    Manifest,
    ManifestEntry,
    Member,
    MemberKind,
    Omission,
    OmissionReason,
)
from backupd.ports import Progress

_CHUNK = 1024 * 1024
_ENCRYPTED_FLAG = 0x1


def build_archive(
    members: Sequence[Member],
    target: Path,
    header: ArchiveHeader,
    *,
    password: str | None,
    omissions: Sequence[Omission] = (),
    on_progress: Progress,
) -> Archive:
    """Write all members, `RESTORE.txt` and the manifest to `target`, and make it durable.

    A file that cannot be read becomes an omission. A dump that fails raises, and so does
    anything that is wrong with the archive: then what stands at `target` is of no use.

    Raises:
        ArchiveError: the archive cannot be written, or came out with a plain member although
            `password` is set.
        DumpError: a dump failed, as the dump itself raised it.
    """
    try:
        with target.open("xb") as output:
            target.chmod(0o600)
            archive = pyzipper.AESZipFile(output, "w", **_encryption(password))
            if password:
                archive.setpassword(password.encode())
            build = _Build(archive, header, on_progress, bool(password), list(omissions))
            try:
                build.write_all(members)
                archive.close()
            except BaseException:
                archive.fp = None  # or it would finish itself when it is collected
                raise
            output.truncate()
            output.flush()
            os.fsync(output.fileno())
        if password:
            refuse_plain_members(target)
        return build.finished(target)
    except OSError as error:
        raise ArchiveError(
            f"The archive {target.name} cannot be written: {error.strerror or error}.",
            hint=f"Check the free space and the permissions of {target.parent}.",
        ) from error


def _encryption(password: str | None) -> dict[str, object]:
    if not password:
        return {}
    version = {"force_wz_aes_version": pyzipper.zipfile_aes.WZ_AES_V2}
    return {"encryption": pyzipper.WZ_AES, "encryption_kwargs": version}


class _Unreadable(Exception):  # noqa: N818  (never leaves this module)
    """A file cannot be read; an error of writing the archive is something else."""


@dataclass(slots=True)
class _Build:
    """An archive in the making."""

    archive: pyzipper.AESZipFile
    header: ArchiveHeader
    on_progress: Progress
    encrypted: bool
    omissions: list[Omission]
    entries: list[ManifestEntry] = field(default_factory=list)
    databases: list[DatabaseFacts] = field(default_factory=list)
    paths: set[str] = field(default_factory=lambda: {MANIFEST_PATH})

    def write_all(self, members: Sequence[Member]) -> None:
        """Write the members, and then what backupd adds."""
        for member in members:
            if member.path in self.paths:
                taken = Omission(path=member.path, reason=OmissionReason.NAME_TAKEN)
                self.omissions.append(taken)
            else:
                self._write(member)
        restore = RESTORE_PATH if RESTORE_PATH not in self.paths else "RESTORE.backupd.txt"
        dumps = [entry.path for entry in self.entries if entry.kind is MemberKind.DUMP]
        text = restore_text(self.header, dumps, encrypted=self.encrypted)
        self._add_own(restore, [text.encode()])
        self._add_own(MANIFEST_PATH, manifest_lines(self._manifest()))

    def _manifest(self) -> Manifest:
        return Manifest(
            header=self.header,
            encrypted=self.encrypted,
            entries=tuple(self.entries),
            databases=tuple(self.databases),
            omissions=tuple(self.omissions),
        )

    def _write(self, member: Member) -> None:
        """Write one member; a file that changes meanwhile is written once more."""
        start, kept = self.archive.start_dir, len(self.archive.filelist)
        for attempt in (1, 2):
            try:
                size, digest, changed = self._write_content(member)
            except _Unreadable as error:
                self._forget(start, kept)
                self.omissions.append(_omission(member, error.__cause__))
                return
            if not changed or attempt == 2:  # noqa: PLR2004  (the second reading is the last)
                self._note(member, size, digest, changed=changed)
                return
            self._forget(start, kept)

    def _write_content(self, member: Member) -> tuple[int, str, bool]:
        """Return the bytes written, their SHA-256, and whether the file changed meanwhile."""
        info = zip_info(member, ZoneInfo(self.header.timezone))
        if member.kind is MemberKind.DIRECTORY:
            self._write_header(info)
            return 0, "", False
        digest, size = hashlib.sha256(), 0
        with (
            closing(_chunks(member)) as chunks,
            self.archive.open(info, "w", force_zip64=member.size is None) as output,
        ):
            for chunk in chunks:
                output.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                self.on_progress(len(chunk))
        return size, digest.hexdigest(), _has_changed(member, size)

    def _write_header(self, info: pyzipper.zipfile_aes.AESZipInfo) -> None:
        """Write a directory: a header and no content, so there is nothing to encrypt."""
        archive = self.archive
        archive.fp.seek(archive.start_dir)
        info.header_offset, info.CRC, info.compress_size = archive.start_dir, 0, 0
        archive.fp.write(info.FileHeader(zip64=False))
        archive.filelist.append(info)
        archive.start_dir = archive.fp.tell()
        archive._didModify = True  # noqa: SLF001  (pyzipper has no other way)

    def _forget(self, start: int, kept: int) -> None:
        """Take back what was written since `start`."""
        for info in self.archive.filelist[kept:]:
            self.archive.NameToInfo.pop(info.filename, None)
        del self.archive.filelist[kept:]
        self.archive.start_dir = start

    def _note(self, member: Member, size: int, digest: str, *, changed: bool) -> None:
        self.paths.add(member.path)
        if member.database:
            self.databases.append(member.database)
        self.entries.append(
            ManifestEntry(
                path=member.path,
                kind=member.kind,
                size=size,
                mtime_ns=member.mtime_ns,
                mode=member.mode,
                uid=member.uid,
                gid=member.gid,
                user=_user(member.uid),
                group=_group(member.gid),
                sha256=digest,
                link_target=member.link_target,
                ctime_ns=member.ctime_ns,
                inode=member.inode,
                changed_while_read=changed,
            )
        )

    def _add_own(self, path: str, chunks: Iterable[bytes]) -> None:
        """Add a file of backupd's own, which the manifest does not name."""
        created_ns = int(self.header.created_at.timestamp()) * 1_000_000_000
        own = Member(path=path, kind=MemberKind.FILE, mtime_ns=created_ns, mode=0o600)
        info = zip_info(own, ZoneInfo(self.header.timezone))
        with self.archive.open(info, "w", force_zip64=True) as output:
            for chunk in chunks:
                output.write(chunk)

    def finished(self, target: Path) -> Archive:
        """Describe the archive that now stands at `target`."""
        with target.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
        changed = tuple(entry.path for entry in self.entries if entry.changed_while_read)
        return Archive(
            name=self.header.archive,
            path=target,
            size=size,
            sha256=digest,
            created_at=self.header.created_at,
            scope=self.header.scope,
            encrypted=self.encrypted,
            members=len(self.entries),
            content_bytes=sum(entry.size for entry in self.entries),
            databases=tuple(self.databases),
            omissions=tuple(self.omissions),
            changed_while_read=changed,
        )


def refuse_plain_members(path: Path) -> None:
    """Make sure that every member with content is encrypted, by reading the finished archive.

    Raises:
        ArchiveError: one is not; the archive must not be delivered.
    """
    with pyzipper.AESZipFile(path) as archive:
        plain = [
            info.filename
            for info in archive.infolist()
            if not info.is_dir() and not info.flag_bits & _ENCRYPTED_FLAG
        ]
    if plain:
        raise ArchiveError(
            f"The archive should be encrypted, but {len(plain)} members came out plain, "
            f"{plain[0]!r} the first; it was not delivered.",
            hint="This is a bug in backupd: please report it.",
        )


def _chunks(member: Member) -> Generator[bytes]:
    """Read a member's content."""
    if member.kind is MemberKind.SYMLINK:
        yield os.fsencode(member.link_target)
    elif member.stream is not None:
        yield from member.stream()
    else:
        try:
            descriptor = os.open(member.origin, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123  (a descriptor)
                while chunk := file.read(_CHUNK):
                    yield chunk
        except OSError as error:
            raise _Unreadable from error


def _has_changed(member: Member, size: int) -> bool:
    if member.kind is not MemberKind.FILE:
        return False
    try:
        status = Path(member.origin).stat()
    except OSError:
        return False  # it is gone, but what was read of it is whole
    return (status.st_mtime_ns, size) != (member.mtime_ns, status.st_size)


def _omission(member: Member, error: BaseException | None) -> Omission:
    detail = (isinstance(error, OSError) and error.strerror) or str(error)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        vanished = OmissionReason.VANISHED
        return Omission(path=member.path, reason=vanished, detail=detail, harmless=True)
    unreadable = OmissionReason.UNREADABLE
    return Omission(path=member.path, reason=unreadable, detail=detail, harmless=member.optional)


@cache
def _user(uid: int) -> str:
    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return ""


@cache
def _group(gid: int) -> str:
    try:
        return getgrgid(gid).gr_name
    except KeyError:
        return ""
