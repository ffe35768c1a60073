"""Secrets that tests give to programs, and the search for them in all that programs let out.

Every secret has one mark. What fakes overhear is noted here, and searched after each test by a
fixture of tests/conftest.py; so are the files that a program leaves behind.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile, ZipFile

MARK = "Xyzzy7"
"""Letters and a digit only: no quoting, escaping or encoding of addresses changes them."""

OVERHEARD: list[tuple[str, str]] = []
"""What was let out since the test began: where, and the text."""

PLACES: list[Path] = []
"""Directories whose files must not show a secret either."""

_ENCRYPTED = 1


def secret(of: str) -> str:
    """Make up the secret of something."""
    return f"{MARK}-{of}-{MARK}"


def overhear(where: str, text: str) -> None:
    """Note what was let out."""
    OVERHEARD.append((where, text))


def shown() -> list[str]:
    """Give each place where a secret is shown, with what stands around it."""
    texts = [f"{where}: …{_around(text)}…" for where, text in OVERHEARD if MARK in text]
    files = [path for place in PLACES for path in sorted(place.rglob("*")) if path.is_file()]
    return texts + [str(path) for path in files if _shows(path)]


def _around(text: str) -> str:
    at = text.index(MARK)
    return text[max(at - 80, 0) : at + 80]


def _shows(path: Path) -> bool:
    if MARK in path.name:
        return True
    if path.stat().st_size == 0:
        return False
    if path.suffix == ".zip":
        return any(MARK in text for text in _texts(path))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(MARK.encode()) >= 0


def _texts(path: Path) -> Iterator[str]:
    """Give what an archive says itself: its names, and what backupd wrote into it."""
    try:
        with ZipFile(path) as archive:
            yield archive.comment.decode("latin-1")
            for entry in archive.infolist():
                yield entry.filename + entry.comment.decode("latin-1")
                ours = entry.filename in {"RESTORE.txt", ".backupd/manifest.json"}
                if ours and not entry.flag_bits & _ENCRYPTED:
                    yield archive.read(entry).decode()
    except BadZipFile:
        return  # tests damage archives on purpose
