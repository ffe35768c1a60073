"""MongoDB is held to its contract with stand-in programs: no server or tool is to be had here."""

import sys
from pathlib import Path

import pytest

from backupd.errors import LoadError
from backupd.loaders.mongodb import MongodbLoader
from backupd.sources.database_url import DatabaseAccess, parse_database_url
from backupd.sources.mongodb_server import MongodbServer

URL = "mongodb://me:p%40ss@db.example/shop"
LOADING = """
config = next(a for a in sys.argv if a.startswith('--config=')).partition('=')[2]
print(*sys.argv[2:], open(config).read(), sys.stdin.buffer.read(), sep='|', file=open(seen, 'w'))
"""


def loader_by(folder: Path, name: str, body: str) -> MongodbLoader:
    program = folder / name
    seen = f"seen = {str(folder / 'seen')!r}"
    program.write_text(f"#!{sys.executable} -I\nimport os, sys\n{seen}\n{body}\n")
    program.chmod(0o755)
    access = DatabaseAccess(
        address=parse_database_url(URL), program=str(folder / "mongodump"), time_limit=60
    )
    return MongodbLoader(name="main", server=MongodbServer(access=access))


def test_a_dump_goes_in_as_it_comes_and_to_the_databases_that_it_names(tmp_path: Path) -> None:
    loader = loader_by(tmp_path, "mongorestore", LOADING)
    loader.load("x.archive", [b"one ", b"two"])
    assert (tmp_path / "seen").read_text() == (
        '--archive|--stopOnError|uri: "mongodb://me:p%40ss@db.example/?authSource=shop"\n'
        "|b'one two'\n"
    )


def test_replacing_drops_what_the_dump_brings(tmp_path: Path) -> None:
    loader_by(tmp_path, "mongorestore", LOADING).replace("x.archive", [b"one"])
    assert "--archive|--stopOnError|--drop|" in (tmp_path / "seen").read_text()


def test_a_failed_load_says_that_it_is_half_done(tmp_path: Path) -> None:
    loader = loader_by(tmp_path, "mongorestore", "sys.exit('Failed: duplicate key')")
    with pytest.raises(LoadError, match=r"duplicate key.*holds what was loaded until then"):
        loader.load("x.archive", [b"one"])


def test_collections_are_counted_by_what_a_dump_says(tmp_path: Path) -> None:
    body = "print('x\\tdone dumping shop.orders (3 documents)', file=sys.stderr); print('bytes')"
    assert loader_by(tmp_path, "mongodump", body).tables() == {"shop.orders": 3}
