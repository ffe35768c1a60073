"""A backup set whose operations are stand-ins, and whose clock is wound by hand."""

from pathlib import Path

import pytest

from fakes.bench import Bench
from fakes.overheard import PLACES, secret


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    PLACES.append(tmp_path / "state")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "file").write_text("content")
    bench.set(
        NAME="shop",
        TIMEZONE="UTC",
        SOURCE__ROOT=str(tmp_path / "app"),
        DESTINATIONS__HERE__TYPE="local",
        DESTINATIONS__HERE__PATH=str(tmp_path / "backups"),
        MAIL__PASSWORD=secret("mail"),
    )
    return bench
