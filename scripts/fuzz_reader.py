"""Fuzzes the archive reader, led by coverage: scripts/fuzz_reader.py SECONDS [SEED].

Archives are changed byte by byte, piece by piece and field by field; a change that makes the
reader run a line after a line that it never ran after it is kept and changed further. Each is
restored. It stops at the first exception that is none of backupd's own, at content that is not
what was archived, and at anything written outside; the archive is kept beside for a test.
"""

import hashlib
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from backupd.archive.view import ObjectView  # noqa: E402
from backupd.errors import BackupdError  # noqa: E402
from backupd.operations.restore import Restore  # noqa: E402
from backupd.operations.retrieve import Reading  # noqa: E402
from backupd.operations.select import Selection  # noqa: E402
from fakes.archives import KEY, archive_of, look  # noqa: E402
from fakes.destinations import MemoryDestination  # noqa: E402

ODD = (
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x7f",
    b"../",
    b"/",
    b"PK\1\2",
    b"PK\3\4",
)
PASSWORD = "secret"  # noqa: S105  (of archives that nobody keeps)
READER = str(ROOT / "src" / "backupd" / "archive")

Edge = tuple[str, int, int]


def seeds(folder: Path) -> Iterator[tuple[bytes, str | None, dict[bytes, str]]]:
    """Give small archives, plain and encrypted, with what they hold."""
    tree = folder / "tree"
    (tree / "d").mkdir(parents=True)
    (tree / "d/text").write_text("some text " * 50)
    (tree / "noise").write_bytes(os.urandom(200))
    (tree / "link").symlink_to("d/text")
    content = {name: seen.content for name, seen in look(tree).items()}
    for number, password in enumerate((None, PASSWORD)):
        archive = archive_of(tree, folder / str(number), password=password)
        yield archive.path.read_bytes(), password, content


def changed(content: bytes, chance: random.Random) -> bytes:
    """Change an archive in a few places."""
    new = bytearray(content)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(max(len(new), 1))
        length = chance.randrange(1, 9)
        kind = chance.randrange(5)
        if kind == 0:
            new[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            odd = chance.choice(ODD)
            new[at : at + len(odd)] = odd
        elif kind == 2:  # noqa: PLR2004  (the kinds have no names)
            del new[at : at + length]
        elif kind == 3:  # noqa: PLR2004
            new[at:at] = new[at : at + length * 8]
        else:
            start = chance.randrange(max(len(new), 1))
            new[at : at + length] = new[start : start + length]
    return bytes(new)


def traced(action: Callable[[], bool]) -> tuple[set[Edge], bool]:
    """Run it and note which lines of the reader followed which; give its answer too."""
    edges: set[Edge] = set()
    last: dict[int, int] = {}

    def line(frame: FrameType, event: str, _: object) -> Callable[..., object]:
        if event == "line":
            edges.add((frame.f_code.co_name, last.get(id(frame), 0), frame.f_lineno))
            last[id(frame)] = frame.f_lineno
        return line

    def call(frame: FrameType, _event: str, _: object) -> Callable[..., object] | None:
        return line if frame.f_code.co_filename.startswith(READER) else None

    sys.settrace(call)
    try:
        answer = action()
    finally:
        sys.settrace(None)
    return edges, answer


def restore(content: bytes, password: str | None, folder: Path) -> bool:
    """Open an archive and restore it; tell whether its manifest vouches for what came."""
    destination = MemoryDestination()
    destination.objects[KEY] = content
    operation = Restore(
        copies=(ObjectView(destination=destination, key=KEY, size=len(content)),),
        target=folder / "out",
        selection=Selection(),
        reading=Reading(password=password, zone=UTC, workers=1),
    )
    try:
        has_manifest = operation.plan().has_manifest  # traced: the rest runs in threads
        operation.run(lambda _: None)
    except BackupdError:
        return True
    return has_manifest


def check(folder: Path, expected: dict[bytes, str], *, vouched: bool) -> None:
    """Make sure that nothing was written outside, and nothing wrong that the manifest vouches for.

    Changed often enough, an archive looks like one of another program, which has no manifest.
    """
    beside = {path.name for path in folder.iterdir()}
    if beside - {"out"}:
        raise AssertionError(f"written outside: {beside}")
    if vouched and (folder / "out").exists():
        for name, seen in look(folder / "out").items():
            if seen.content and seen.content not in expected.values():
                raise AssertionError(f"wrong content: {name!r}")


def main() -> None:
    """Fuzz for so many seconds."""
    seconds = float(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)  # noqa: PLR2004, S311
    chance = random.Random(seed)  # noqa: S311  (so that it can be repeated)
    memory = Path("/dev/shm")  # noqa: S108
    scratch = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
    corpus, known, tried = list(seeds(scratch / "seeds")), set[Edge](), 0
    ends = time.monotonic() + seconds
    try:
        while time.monotonic() < ends:
            content, password, expected = chance.choice(corpus)
            content = changed(content, chance)
            folder = scratch / "try"
            folder.mkdir()
            try:
                edges, vouched = traced(lambda: restore(content, password, folder))  # noqa: B023
                check(folder, expected, vouched=vouched)
            except Exception:
                kept = ROOT / f"fuzz-{hashlib.sha256(content).hexdigest()[:12]}.zip"
                kept.write_bytes(content)
                print(f"seed {seed}, try {tried}, password {password}: kept as {kept}")
                raise
            shutil.rmtree(folder)
            if edges - known:
                known |= edges
                corpus.append((content, password, expected))
            tried += 1
    finally:
        shutil.rmtree(scratch)
    print(f"{tried} archives, {len(known)} pairs of lines, {len(corpus)} kept; seed {seed}: clean")


if __name__ == "__main__":
    main()
