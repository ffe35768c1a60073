"""Lays down what the benchmarks back up: APP, MANY and BIG, the same on every machine.

Text is cut from the sources of this Python's standard library, so it deflates as code does.
"""

import random
import sqlite3
import sys
import sysconfig
from contextlib import closing
from pathlib import Path

_MIB = 1 << 20


def _library_text() -> bytes:
    library = Path(sysconfig.get_path("stdlib"))
    sources = sorted(library.glob("*.py")) + sorted(library.glob("[a-z]*/*.py"))
    text = b"".join(path.read_bytes() for path in sources if "site-packages" not in path.parts)
    return text[: 16 * _MIB]


class Corpora:
    """Lays down corpora below `folder`, each once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._random = random.Random(20_260_101)
        self._text = _library_text()

    def lay(self, name: str, scale: float = 1.0) -> Path:
        """Lay down a corpus, or find it laid down; `scale` below 1 makes a smaller one."""
        target = self._folder / (name if scale == 1 else f"{name}-{scale:g}")
        ready = target.with_name(target.name + ".ready")
        if not ready.exists():
            target.mkdir(parents=True)
            {"app": self._app, "many": self._many, "big": self._big}[name](target, scale)
            ready.touch()
        return target

    def _cut(self, length: int) -> bytes:
        start = self._random.randrange(len(self._text) - length)
        return self._text[start : start + length]

    def _app(self, target: Path, scale: float) -> None:
        """620 MB: 20,000 code files, 3,000 documents that do not shrink, a 200 MB database."""
        for number in range(round(20_000 * scale)):
            folder = target / "src" / f"module{number // 400:02}" / f"part{number // 40 % 10}"
            folder.mkdir(parents=True, exist_ok=True)
            length = min(200_000, round(self._random.lognormvariate(7.9, 1.1)))
            (folder / f"file{number:05}.py").write_bytes(self._cut(length))
        for number in range(round(3_000 * scale)):
            folder = target / "storage" / f"{number // 100:02}"
            folder.mkdir(parents=True, exist_ok=True)
            ending = "pdf" if number % 2 else "jpg"
            content = self._random.randbytes(self._random.randrange(20_000, 194_000))
            (folder / f"document{number:04}.{ending}").write_bytes(content)
        self._database(target / "database.sqlite", round(200 * _MIB * scale))

    def _database(self, path: Path, size: int) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute(
                "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, token BLOB, "
                "note TEXT, price REAL, at INTEGER)"
            )
            while path.stat().st_size < size:
                rows = (
                    (
                        f"customer-{self._random.randrange(100_000)}@example.org",
                        self._random.randbytes(16),
                        self._cut(self._random.randrange(60, 400)).decode(errors="replace"),
                        self._random.random() * 1000,
                        1_700_000_000 + self._random.randrange(50_000_000),
                    )
                    for _ in range(10_000)
                )
                database.executemany(
                    "INSERT INTO orders (customer, token, note, price, at) VALUES (?, ?, ?, ?, ?)",
                    rows,
                )
                database.commit()

    def _many(self, target: Path, scale: float) -> None:
        """200,000 files of about 1 KB."""
        for number in range(round(200_000 * scale)):
            folder = target / f"{number // 10_000:02}" / f"{number // 100 % 100:02}"
            if number % 100 == 0:
                folder.mkdir(parents=True)
            content = self._cut(self._random.randrange(500, 1_500))
            (folder / f"entry{number:06}.json").write_bytes(content)

    def _big(self, target: Path, scale: float) -> None:
        """One file of 4 GB, of which some shrinks and some does not."""
        with (target / "image.raw").open("wb") as file:
            for _ in range(round(4_200 * scale)):
                for _ in range(16):
                    shrinks = self._random.random() < 0.72
                    piece = self._cut(65_536) if shrinks else self._random.randbytes(65_536)
                    file.write(piece)


if __name__ == "__main__":
    folder, *names = sys.argv[1:]
    for name in names:
        print(Corpora(Path(folder)).lay(name))
