"""Backup, drill and restore of MongoDB, with stand-in programs: no real ones are to be had here."""

import json
import os
import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest

from conftest import Done, Program
from fakes.instructions import followed
from fakes.mongodb_stand_ins import PretendedServer
from fakes.overheard import secret


@pytest.fixture
def server(tmp_path: Path) -> PretendedServer:
    folder = tmp_path / "mongodb"
    folder.mkdir()
    server = PretendedServer(folder)
    server.put(shop__orders=3, shop__one=1, other__things=9)
    server.install()
    return server


@pytest.fixture
def taken(program: Program, server: PretendedServer) -> Program:
    """Take a backup of one database."""
    program.set(
        DATABASES__EVENTS__URL="mongodb://db.example/shop",
        DRILL__URL="mongodb://drill@db.example/",
        DRILL__PASSWORD=f"p@{secret('drill')}",
    )
    assert run(program, server, "run").code == 0
    return program


def run(program: Program, server: PretendedServer, *arguments: str) -> Done:
    return program(*arguments, PATH=f"{server.folder}:{os.environ['PATH']}")


def drill(program: Program, server: PretendedServer) -> dict[str, list[str]]:
    """Run a drill, and give its only proof."""
    done = run(program, server, "drill", "--json")
    (proof,) = json.loads(done.out)["proofs"]
    assert (done.code == 0) is not proof["flaws"]
    found: dict[str, list[str]] = proof
    return found


def test_a_drill_loads_the_dump_into_a_scratch_database_and_drops_it(
    taken: Program, server: PretendedServer
) -> None:
    before = server.held
    assert drill(taken, server)["databases"] == ["events"]
    assert server.held == before
    (restoring,) = (each for each in server.seen if each[0] == "mongorestore")
    scratch = restoring[-1].removeprefix("--nsTo=").partition(".")[0]
    assert scratch.startswith("backupd_drill_")
    assert restoring[2:] == [
        "--archive",
        "--stopOnError",
        "--nsExclude=admin.*",
        "--nsExclude=config.*",
        "--nsFrom=$db$.$name$",
        f"--nsTo={scratch}.$db$.$name$",
        "--nsFrom=$db$.system.buckets.$name$",
        f"--nsTo={scratch}.system.buckets.$db$.$name$",
    ]
    assert server.seen[-1][:5] == ["mongosh", "--nodb", "--norc", "--quiet", "--file"]
    assert not [each for each in server.seen if "p%40" in "".join(each)]


def test_a_dump_of_a_whole_server_goes_into_one_scratch_database(
    program: Program, server: PretendedServer
) -> None:
    server.put(shop__orders=3, admin__system=1, other__orders=9)
    series = {"shop.system.buckets.heat": 5, **server.held}
    (server.folder / "state").write_text(json.dumps(series))
    program.set(
        DATABASES__ALL__URL="mongodb://db.example/",
        DRILL__URL=f"mongodb://drill:p%40{secret('drill')}@db.example",
    )
    assert run(program, server, "run").code == 0
    before = server.held
    assert drill(program, server)["databases"] == ["all"]
    assert server.held == before


def test_a_drill_tells_of_documents_that_did_not_come_back(
    taken: Program, server: PretendedServer
) -> None:
    server.install(lost=1)
    before = server.held
    flaws = json.dumps(drill(taken, server)["flaws"])
    assert "The table shop.orders has 2 rows; the manifest says 3." in flaws
    assert server.held == before


def test_without_the_shell_nothing_is_loaded_that_could_not_be_dropped(
    taken: Program, server: PretendedServer
) -> None:
    (server.folder / "mongosh").unlink()
    before = server.held
    assert "mongosh is not installed" in json.dumps(drill(taken, server)["flaws"])
    assert server.held == before


def test_a_scratch_database_that_cannot_be_dropped_is_named(
    taken: Program, server: PretendedServer
) -> None:
    server.install(shell_fails=True)
    flaws = json.dumps(drill(taken, server)["flaws"])
    (left,) = {name.partition(".")[0] for name in server.held} - {"shop", "other"}
    assert f"The scratch database {left} may still be there" in flaws


def test_a_dump_is_loaded_into_a_database_of_another_name(
    taken: Program, server: PretendedServer
) -> None:
    done = run(
        taken, server, "restore", "--only-db", "--to-url", "mongodb://db.example/copy", "--json"
    )
    assert done.code == 0, done.err
    (loaded,) = json.loads(done.out)["loaded"]
    assert loaded["differences"] == []
    assert server.held == {
        "shop.orders": 3,
        "shop.one": 1,
        "other.things": 9,
        "copy.orders": 3,
        "copy.one": 1,
    }
    again = run(taken, server, "restore", "--only-db", "--to-url", "mongodb://db.example/copy")
    assert again.code == 1
    assert "is not empty: it has shop.orders, shop.one." in again.err


@pytest.mark.parametrize("compress", ["none", "gzip"])
def test_the_commands_of_restore_txt_bring_everything_back(
    taken: Program, server: PretendedServer, tmp_path: Path, compress: str
) -> None:
    taken.set(DATABASES__EVENTS__COMPRESS=compress)
    (tmp_path / "there").mkdir()
    assert run(taken, server, "run", "--suffix", "again").code == 0
    (archive,) = taken.backups.glob("*again.zip")
    for each in (archive, archive.with_name(f"{archive.name}.sha256")):
        shutil.copy(each, tmp_path / "there")
    before = server.held
    server.put(shop__orders=1, other__things=9)
    done = followed(
        ZipFile(archive).read("RESTORE.txt").decode(),
        tmp_path / "there",
        {"APPLICATION": str(taken.root), "SERVER": "mongodb://db.example/"},
        environment={"PATH": f"{server.folder}:{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stderr
    assert server.held == before


def test_several_databases_are_not_put_into_one(program: Program, server: PretendedServer) -> None:
    program.set(DATABASES__ALL__URL="mongodb://db.example/")
    assert run(program, server, "run").code == 0
    done = run(program, server, "restore", "--only-db", "--to-url", "mongodb://db.example/copy")
    assert done.code == 1
    assert "has several databases: other, shop" in done.err
