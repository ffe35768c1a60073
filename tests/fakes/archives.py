"""File trees with every oddity that the files source takes, archives of them, and comparison."""

import hashlib
import os
import random
import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from backupd.archive.making import Making
from backupd.archive.view import ObjectView
from backupd.archive.writer import build_archive
from backupd.destinations.local import LocalDirectory
from backupd.errors import DestinationError
from backupd.model import Archive, ArchiveHeader, Member, Omission, Scope, StoredObject
from backupd.ports import Destination, Progress
from backupd.sources.files import FileTree

WHEN = datetime(2025, 11, 8, 0, 0, 0, tzinfo=UTC)
ONE_WORKER = Making(workers=1)
KEY = "shop-2025-11-08-01-00-00.zip"


class Seen(NamedTuple):
    """Everything about one file that a restore must bring back."""

    kind: int
    mode: int
    owner: tuple[int, int]
    mtime_ns: int
    content: str


def look(root: Path) -> dict[bytes, Seen]:
    """Describe all that is below a directory, by its name in bytes."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            content = os.fsencode(path.readlink()).hex()
        elif stat.S_ISREG(status.st_mode):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            content = ""
        kind = stat.S_IFMT(status.st_mode)
        mode = 0 if stat.S_ISLNK(status.st_mode) else stat.S_IMODE(status.st_mode)
        owner = (status.st_uid, status.st_gid)
        seen = Seen(kind, mode, owner, status.st_mtime_ns, content)
        found[os.fsencode(path.relative_to(root))] = seen
    return found


def odd_tree(root: Path, *, files: int = 40) -> Path:
    """Make a tree with odd names, modes, times, links, empty directories and sizes."""
    chance = random.Random(7)  # noqa: S311  (the same tree every time)
    for number in range(files):
        path = root / f"app/d{number % 7}/f{number}.php"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(chance.choice("abcdef \n") for _ in range(chance.randrange(3000)))
        path.write_text(text)
        os.utime(path, ns=(0, 1_700_000_000_123_456_789 + number))
    for name in (
        "a b",
        "naïve-é-\u65e5",
        "new\nline",
        "back\\slash",
        "..\\..\\up",
        "-rf",
        "C:",
        "~",
    ):
        (root / "odd" / name).parent.mkdir(exist_ok=True)
        (root / "odd" / name).write_bytes(name.encode())
    Path(os.fsdecode(bytes(root / "odd") + b"/latin-\xe9\xff")).write_bytes(b"not UTF-8")
    (root / "odd" / ("n" * 255)).write_bytes(b"long")
    (root / "big.bin").write_bytes(chance.randbytes(9_000_001))
    (root / "zeros").write_bytes(bytes(5_000_000))
    (root / "nothing").touch()
    (root / "empty" / "deep" / "er").mkdir(parents=True)
    (root / "to-file").symlink_to("nothing")
    (root / "to-nowhere").symlink_to("/does/not/exist\n")
    (root / "to-above").symlink_to("../../etc")
    (root / "to-directory").symlink_to("app")
    (root / "nothing").chmod(0o4751)
    (root / "closed").mkdir()
    (root / "closed/inside").write_text("x")
    (root / "closed/inside").chmod(0o000)
    os.utime(root / "to-file", ns=(0, 1_600_000_000_000_000_001), follow_symlinks=False)
    os.utime(root / "closed", ns=(0, -5_000_000_001))
    (root / "closed").chmod(0o500)
    if os.geteuid() == 0:
        os.chown(root / "big.bin", 4242, 4343)
        os.chown(root / "to-nowhere", 4242, 4343, follow_symlinks=False)
    return root


def header() -> ArchiveHeader:
    """Give the header of all archives here."""
    return ArchiveHeader(
        archive=KEY,
        set_name="shop",
        created_at=WHEN,
        timezone="Europe/Paris",
        scope=Scope.FULL,
        version="1",
    )


def archive_of(
    root: Path,
    folder: Path,
    *,
    password: str | None = None,
    members: tuple[Member | Omission, ...] = (),
    making: Making = ONE_WORKER,
) -> Archive:
    """Write an archive of a tree to `folder`, with its checksum beside."""
    found = [each for each in FileTree(root=root).members() if isinstance(each, Member)]
    folder.mkdir(parents=True, exist_ok=True)
    archive = build_archive(
        [*members, *found],
        folder / KEY,
        header(),
        password=password,
        on_progress=lambda _: None,
        making=making,
    )
    (folder / f"{KEY}.sha256").write_text(f"{archive.sha256}  {KEY}\n")
    return archive


def view_of(folder: Path, name: str = "local", key: str = KEY) -> ObjectView:
    """See an archive in a folder as a destination gives it."""
    destination = LocalDirectory(name=name, path=folder)
    return ObjectView(destination=destination, key=key, size=(folder / key).stat().st_size)


class CountingDestination:
    """Passes reads on and counts their bytes."""

    def __init__(self, inner: Destination) -> None:
        self.inner = inner
        self.name = inner.name
        self.bytes = 0
        self.requests = 0

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        self.requests += 1
        for chunk in self.inner.read(key, start, length):
            self.bytes += len(chunk)
            yield chunk

    def store(self, key: str, path: Path, *, on_progress: Progress) -> StoredObject:
        return self.inner.store(key, path, on_progress=on_progress)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        return self.inner.list(prefix)

    def delete(self, keys: Sequence[str]) -> Mapping[str, DestinationError]:
        return self.inner.delete(keys)

    def sweep(self, before: datetime) -> Sequence[str]:
        return self.inner.sweep(before)
