"""MongoDB is held to its contract with stand-in programs: no server or tool is to be had here.

They check what they are given (arguments, configuration) and write what mongodump writes; that
the real ones take it is not proved by these tests.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backupd.errors import DumpError
from backupd.model import DatabaseFacts, Member
from backupd.sources.database_url import DatabaseAccess, parse_database_url
from backupd.sources.mongodb import MongodbDatabase
from backupd.sources.mongodb_server import MongodbServer
from backupd.sources.options import mongodump_selection
from backupd.sources.tables import TableSelection

StandIn = Callable[[str, str], Path]
PASSWORD = "p@ss:/?#[]%&'\"\\ é"
ARCHIVE = b"\x6d\xe2\x99\x81" + b"some BSON " * 10 + b"\xff\xff\xff\xff"
DUMPING = f"""
seen = open(sys.argv[0] + '.seen', 'w')
config = next(a for a in sys.argv if a.startswith('--config=')).partition('=')[2]
print(*sys.argv[1:], sep='\\n', file=seen)
print(open(config).read(), oct(os.stat(config).st_mode & 0o777), file=seen)
sys.stderr.write("2026-11-22T01:00:00.000+0000\\twriting shop.orders to archive on stdout\\n")
sys.stderr.write("2026-11-22T01:00:01.000+0000\\tdone dumping shop.orders (200000 documents)\\n")
sys.stderr.write("2026-11-22T01:00:01.000+0000\\tdone dumping shop.one (1 document)\\n")
os.write(1, {ARCHIVE!r})
"""


def dump_by(program: Path, selection: TableSelection | None = None) -> Member:
    address = parse_database_url("mongodb://backup@db.example:27017/shop?authSource=admin")
    address = type(address)(
        kind=address.kind,
        scheme=address.scheme,
        host=address.host,
        user=address.user,
        password=PASSWORD,
        database=address.database,
        options=address.options,
    )
    server = MongodbServer(access=DatabaseAccess(address=address, program=str(program)))
    source = MongodbDatabase(
        name="shop",
        server=server,
        when=datetime(2026, 11, 22, 1, tzinfo=UTC),
        zone=UTC,
        selection=selection or TableSelection(),
    )
    return next(source.members())


def content(member: Member) -> bytes:
    assert member.stream is not None
    return b"".join(member.stream())


def facts(member: Member) -> DatabaseFacts:
    assert member.facts is not None
    return member.facts()


def test_the_archive_and_the_documents_of_each_collection_are_taken(stand_in: StandIn) -> None:
    member = dump_by(stand_in("mongodump", DUMPING))
    assert member.path == "db-dumps/mongodb-shop-2026-11-22-01-00-00.archive"
    assert content(member) == ARCHIVE
    assert facts(member).tables == {"shop.orders": 200_000, "shop.one": 1}


def test_the_password_is_in_the_configuration_and_in_no_argument(stand_in: StandIn) -> None:
    program = stand_in("mongodump", DUMPING)
    content(dump_by(program, TableSelection(exclude=["log", "tmp_*"])))
    *arguments, config, _ = Path(f"{program}.seen").read_text().split("\n")
    userinfo = "backup:p%40ss%3A%2F%3F%23%5B%5D%25%26%27%22%5C%20%C3%A9"
    assert arguments[0].startswith("--config=/dev/fd/")
    assert arguments[1:] == [
        "--archive",
        "--excludeCollection=log",
        "--excludeCollectionsWithPrefix=tmp_",
        f'uri: "mongodb://{userinfo}@db.example:27017/shop?authSource=admin"',
    ]
    assert config == " 0o600"


def test_an_archive_without_its_end_is_refused(stand_in: StandIn) -> None:
    member = dump_by(stand_in("mongodump", f"os.write(1, {ARCHIVE[:-4]!r})"))
    with pytest.raises(DumpError, match="lacks its end"):
        content(member)


def test_a_dump_that_failed_says_what_to_do_and_nothing_secret(stand_in: StandIn) -> None:
    said = f"Failed: can't create session: unable to authenticate: {PASSWORD}: auth error"
    member = dump_by(stand_in("mongodump", f"sys.exit({said!r})"))
    with pytest.raises(DumpError) as caught:
        content(member)
    assert "Check user and password" in caught.value.hint
    assert PASSWORD not in str(caught.value) + caught.value.stderr


@pytest.mark.parametrize(
    "selection",
    [
        TableSelection(include=["a", "b"]),
        TableSelection(include=["a*"]),
        TableSelection(exclude=["*a"]),
        TableSelection(without_data=["a"]),
    ],
)
def test_what_mongodump_cannot_be_told_is_refused(selection: TableSelection) -> None:
    with pytest.raises(ValueError, match=r"mongodump|which '"):
        mongodump_selection(selection)
