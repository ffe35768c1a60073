"""Archives to look at: a tree with every oddity, and a way to archive it."""

import itertools
import os
import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backupd.archive.making import Making
from backupd.archive.slots import CHUNK
from backupd.archive.writer import build_archive
from backupd.model import Archive, ArchiveHeader, Compression, Member, Omission, Scope
from backupd.sources.files import FileTree
from fakes.archiving import BuildArchive

WHEN = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a tree of small and large files, odd names and times, links and empty directories."""
    root, chance = tmp_path / "tree", random.Random(3)  # noqa: S311  (the same every time)
    words = ["alpha", "beta", "gamma", "return", "import", "= 12", "\n"]
    for number in range(300):
        path = root / f"src/{number % 9}/file{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(" ".join(chance.choices(words, k=chance.randrange(400))))
        os.utime(path, ns=(0, 1_700_000_000_123_456_700 + number * 100))
    (root / "empty/deep").mkdir(parents=True)
    (root / "photo.jpg").write_bytes(chance.randbytes(150_000))
    (root / "noise.bin").write_bytes(chance.randbytes(200_000))
    text = " ".join(chance.choices(words, k=50_000)).encode()
    mixed = b"".join(text if number % 3 else chance.randbytes(400_000) for number in range(40))
    (root / "large.dat").write_bytes(mixed)
    (root / "large.mp4").write_bytes(chance.randbytes(2_500_000))
    (root / "exactly-a-chunk").write_bytes(bytes(CHUNK))
    (root / "nothing").touch()
    (root / "odd").mkdir()
    for name in ("naïve-日本", "a b", "back\\slash", "new\nline", "x" * 250):
        (root / "odd" / name).write_text(name)
    Path(os.fsdecode(os.fsencode(root) + b"/odd/latin-\xe9")).write_bytes(b"latin")
    (root / "link").symlink_to("nothing")
    (root / "nothing").chmod(0o640)
    os.utime(root / "odd/a b", ns=(0, -86_400 * 10**9))
    os.utime(root / "nothing", ns=(0, 2**33 * 10**9 + 5_000))
    return root


@pytest.fixture
def build(tmp_path: Path, tree: Path) -> BuildArchive:
    """Give a function that archives."""
    numbers = itertools.count(1)

    def build_one(
        items: Iterable[Member | Omission] | None = None,
        *,
        password: str | None = None,
        making: Making = Making(workers=2),  # noqa: B008  (it is frozen)
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> Archive:
        header = ArchiveHeader(
            archive=f"set-{next(numbers)}.zip",
            set_name="set",
            created_at=WHEN,
            timezone="Europe/Paris",
            scope=Scope.FULL,
            version="0",
        )
        return build_archive(
            FileTree(root=tree).members() if items is None else items,
            tmp_path / header.archive,
            header,
            password=password,
            on_progress=on_progress,
            making=making,
        )

    return build_one


@pytest.fixture(params=list(Compression))
def compression(request: pytest.FixtureRequest) -> Compression:
    """Give every level in turn."""
    return Compression(request.param)
