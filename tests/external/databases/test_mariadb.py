"""MariaDB: dumped from a real server and loaded back."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backupd.errors import DumpError, LoadError
from backupd.loaders.mysql import MysqlLoader
from backupd.sources.database_url import DatabaseAccess, parse_database_url
from backupd.sources.dump import Compression
from backupd.sources.mysql import MysqlDatabase
from backupd.sources.mysql_server import MysqlServer
from backupd.sources.tables import TableSelection
from external.databases.samples import (
    EVERY_CHARACTER,
    FEW_ROWS,
    PAUSE,
    ROWS,
    WHEN,
    Spy,
    content,
    facts,
    failure_of,
    load,
    only_member,
    program,
    sample,
    stream,
    wait_until,
)
from external.databases.servers import RunningServer, start_mariadb

ODD = "a.b $c 'd' \"e\" `f` é"
STATIC = ("everything", ODD, "latin", "visits", "parent", "audit")


def source_of(url: str, **changes: object) -> MysqlDatabase:
    server = MysqlServer(access=DatabaseAccess(address=parse_database_url(url)))
    source = MysqlDatabase(name="main", server=server, when=WHEN, zone=WHEN.tzinfo)  # type: ignore[arg-type]
    return replace(source, **changes)  # type: ignore[arg-type]


def loader_of(mariadb: RunningServer, database: str) -> MysqlLoader:
    access = DatabaseAccess(address=parse_database_url(mariadb.url("")))
    return MysqlLoader(name="main", server=MysqlServer(access=access), database=database)


def checksum(server: RunningServer, database: str, table: str) -> str:
    quoted = table.replace("`", "``")
    return server.sql(f"CHECKSUM TABLE `{quoted}` EXTENDED;", database).rpartition("\t")[2]


def fill(mariadb: RunningServer, name: str, rows: int) -> None:
    mariadb.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4;")
    mariadb.sql(sample("mariadb", rows), name)


@pytest.fixture(scope="module")
def shop(mariadb: RunningServer) -> Iterator[RunningServer]:
    """Fill a small database; a few thousand rows are enough for most tests."""
    mariadb.sql("CREATE DATABASE control; CREATE TABLE control.stop (now int);")
    fill(mariadb, "shop", FEW_ROWS)
    yield mariadb
    mariadb.sql("DROP DATABASE shop; DROP DATABASE control;")


@pytest.fixture(scope="module")
def large(mariadb: RunningServer) -> Iterator[RunningServer]:
    """Fill a database with 200,000 rows."""
    fill(mariadb, "large", ROWS)
    yield mariadb
    mariadb.sql("DROP DATABASE large;")


@pytest.fixture
def copy(mariadb: RunningServer) -> Iterator[str]:
    """Name a database that the test may fill, as nobody names one."""
    yield "-copy of 'it' \\ = `x`"
    mariadb.sql("DROP DATABASE IF EXISTS `-copy of 'it' \\ = ``x```;")


@pytest.mark.parametrize(
    ("name", "rows", "compression", "ending"),
    [("large", ROWS, Compression.NONE, ".sql"), ("shop", FEW_ROWS, Compression.GZIP, ".sql.gz")],
)
def test_a_dump_under_writes_comes_back_as_it_was_at_one_moment(
    *,
    large: RunningServer,
    shop: RunningServer,
    copy: str,
    name: str,
    rows: int,
    compression: Compression,
    ending: str,
) -> None:
    member = only_member(source_of(shop.url(name), compression=compression))
    shop.sql("TRUNCATE journal; UPDATE balance SET n = 0, total = 0;", name)
    shop.sql("DELETE FROM control.stop;")
    with program((*shop.client, name), f"CALL trade({PAUSE});") as writer:
        wait_until(lambda: int(shop.sql("SELECT n FROM balance;", name)) >= 20)
        load(loader_of(shop, copy), member)
        after = int(shop.sql("SELECT n FROM balance;", name))
        shop.sql("INSERT INTO control.stop VALUES (1);")
        writer.wait(30)
    assert member.path.endswith(ending)
    n = int(shop.sql("SELECT n FROM balance;", copy))
    assert 20 <= n < after
    assert shop.sql("SELECT total - (SELECT SUM(amount) FROM journal) FROM balance;", copy) == "0"
    journal = "SELECT COUNT(*), MD5(GROUP_CONCAT(seq, ':', amount ORDER BY seq)) FROM journal"
    longest = "SET group_concat_max_len = 1000000000;"
    dumped = shop.sql(f"{longest}{journal} WHERE seq <= {n};", name)
    assert shop.sql(f"{longest}{journal};", copy) == dumped
    for table in STATIC:
        assert checksum(shop, copy, table) == checksum(shop, name, table), table
    known = facts(member)
    assert known.exact
    assert known.tables["journal"] <= n
    assert known.tables["everything"] == rows
    assert not known.warnings
    there = loader_of(shop, copy).tables()
    assert set(there) == {*known.tables, "totals", "tickets"}
    calls = "SELECT thrice(4), (SELECT SUM(n) FROM totals);"
    assert shop.sql(calls, copy) == shop.sql(calls, name)
    ticket = "SELECT NEXTVAL(tickets);"
    assert int(shop.sql(ticket, copy)) > int(shop.sql(ticket, name))  # it skips what was cached
    routines = "SELECT COUNT(*) FROM information_schema.{} WHERE {}_schema = DATABASE();"
    for what, column in (("routines", "routine"), ("triggers", "trigger"), ("events", "event")):
        query = routines.format(what, column)
        assert shop.sql(query, copy) == shop.sql(query, name) != "0"


def test_all_databases_of_a_server_are_dumped_and_none_takes_another_s_name(
    shop: RunningServer,
) -> None:
    shop.sql("CREATE DATABASE `a/b`; CREATE DATABASE `a.b`;")
    try:
        paths = [member.path for member in source_of(shop.url("")).members()]
        assert {
            "db-dumps/mariadb-main.a%2Eb-2026-11-22-01-00-00.sql",
            "db-dumps/mariadb-main.a%2Fb-2026-11-22-01-00-00.sql",
            "db-dumps/mariadb-main.shop-2026-11-22-01-00-00.sql",
        } <= set(paths)
        assert not [path for path in paths if "schema" in path or "main.mysql" in path]
    finally:
        shop.sql("DROP DATABASE `a/b`; DROP DATABASE `a.b`;")


def test_only_what_is_selected_is_dumped_and_counted(shop: RunningServer, copy: str) -> None:
    selection = TableSelection(exclude=["a.b*", "everything", "totals"], without_data=["visits"])
    member = only_member(source_of(shop.url("shop"), selection=selection))
    load(loader_of(shop, copy), member)
    tables = dict(loader_of(shop, copy).tables())
    del tables["tickets"]
    assert facts(member).tables == tables
    assert tables["visits"] == 0
    assert tables["parent"] == 100
    assert set(facts(member).left_out) == {"everything", ODD, "visits"}


def test_only_included_tables_are_dumped(shop: RunningServer, copy: str) -> None:
    selection = TableSelection(include=[ODD, "lat?n"])
    member = only_member(source_of(shop.url("shop"), selection=selection))
    load(loader_of(shop, copy), member)
    assert loader_of(shop, copy).tables() == {ODD: 1000, "latin": 2}


def test_a_schema_without_rows_is_dumped_when_asked_for(shop: RunningServer, copy: str) -> None:
    member = only_member(source_of(shop.url("shop"), schema_only=True))
    load(loader_of(shop, copy), member)
    assert set(facts(member).tables.values()) == {0}
    assert set(facts(member).left_out) == set(facts(member).tables)
    assert loader_of(shop, copy).tables()["everything"] == 0


def test_a_misspelt_table_fails_the_dump(shop: RunningServer) -> None:
    selection = TableSelection(include=["evrything"])
    member = only_member(source_of(shop.url("shop"), selection=selection))
    with pytest.raises(DumpError, match="No table of the database 'shop' is named 'evrything'"):
        content(member)


def test_tables_without_transactions_are_named_in_a_warning(shop: RunningServer) -> None:
    shop.sql("CREATE TABLE old (a int) ENGINE = MyISAM; CREATE TABLE older LIKE old;", "shop")
    try:
        member = only_member(source_of(shop.url("shop")))
        content(member)
        (warning,) = facts(member).warnings
        assert "old, older" in warning
    finally:
        shop.sql("DROP TABLE old; DROP TABLE older;", "shop")


@pytest.mark.parametrize("password", [EVERY_CHARACTER, "'\\\"", " ", "# ünï = cödé 🎉"])
def test_any_password_works_and_nobody_sees_it(shop: RunningServer, password: str) -> None:
    literal = password.replace("\\", "\\\\").replace("'", "\\'")
    for host in ("127.0.0.1", "localhost"):
        shop.sql(f"CREATE USER 'dump er:é'@'{host}' IDENTIFIED BY '{literal}';")
        shop.sql(f"GRANT ALL ON shop.* TO 'dump er:é'@'{host}';")
        shop.sql(f"GRANT SELECT ON mysql.proc TO 'dump er:é'@'{host}';")
    try:
        with Spy() as spy:
            url = shop.url("shop", "dump er:é", password)
            assert content(only_member(source_of(url)))
            by_socket = source_of(f"{url}?socket={shop.folder}/socket")
            spy.meets({b"mariadb-dump", b"mariadb"}, lambda: content(only_member(by_socket)))
        assert not [seen for seen in spy.seen if len(password) > 3 and password.encode() in seen]
    finally:
        shop.sql("DROP USER 'dump er:é'@'127.0.0.1'; DROP USER 'dump er:é'@'localhost';")


@pytest.fixture
def reader(shop: RunningServer) -> Iterator[str]:
    """Make a user without any right yet."""
    shop.sql("CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'x';")
    yield shop.url("shop", "reader", "x")
    shop.sql("DROP USER reader@'127.0.0.1';")


def test_the_least_rights_that_the_manual_names_are_enough(
    shop: RunningServer, reader: str
) -> None:
    shop.sql("GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON shop.* TO reader@'127.0.0.1';")
    shop.sql("GRANT SELECT ON mysql.proc TO reader@'127.0.0.1';")
    (sighting,) = source_of(reader).examine()
    assert "all of which may be read" in sighting.sentence
    dump = content(only_member(source_of(reader)))
    assert b"CREATE DEFINER=`root`@`localhost` PROCEDURE `forget`" in dump
    assert b"EVENT `sweep`" in dump


def test_a_table_that_the_user_cannot_even_see_fails_the_dump(
    shop: RunningServer, reader: str
) -> None:
    shop.sql("GRANT SELECT ON shop.parent TO reader@'127.0.0.1';")
    error = failure_of(lambda: content(only_member(source_of(reader))))
    assert "may not see all of the database 'shop'" in str(error)
    assert "GRANT SELECT" in error.hint
    selection = TableSelection(include=["parent"])
    only = only_member(source_of(reader, selection=selection))
    assert b"INSERT INTO `parent`" in content(only)


def test_triggers_that_the_user_cannot_see_fail_the_dump(shop: RunningServer, reader: str) -> None:
    shop.sql("GRANT SELECT, SHOW VIEW, EVENT ON shop.* TO reader@'127.0.0.1';")
    shop.sql("GRANT SELECT ON mysql.proc TO reader@'127.0.0.1';")
    error = failure_of(lambda: content(only_member(source_of(reader))))
    assert "it lacks the right TRIGGER" in str(error)
    without = source_of(reader, options=["--skip-triggers"])
    assert content(only_member(without))


def test_a_table_without_the_right_to_read_it_fails_the_dump(
    shop: RunningServer, reader: str
) -> None:
    shop.sql("GRANT INSERT ON shop.parent TO reader@'127.0.0.1';")
    selection = TableSelection(include=["parent"])
    source = source_of(reader, selection=selection)
    assert "denied to user 'reader'" in str(failure_of(lambda: list(source.examine())))
    error = failure_of(lambda: content(only_member(source)))
    assert "denied to user 'reader'" in str(error)
    assert "least rights" in error.hint


def test_a_wrong_password_says_so(shop: RunningServer, reader: str) -> None:
    url = shop.url("shop", "reader", "wrong")
    error = failure_of(lambda: only_member(source_of(url)))
    assert "Access denied for user 'reader'" in str(error)
    assert "Check user and password" in error.hint


def test_a_server_that_is_not_there_says_so(shop: RunningServer) -> None:
    error = failure_of(lambda: only_member(source_of("mysql://u@127.0.0.1:1/shop")))
    assert "Can't connect" in str(error)
    assert "Check that the server runs" in error.hint


def test_a_database_that_is_not_there_says_so(shop: RunningServer) -> None:
    error = failure_of(lambda: content(only_member(source_of(shop.url("shoop")))))
    assert "Unknown database 'shoop'" in str(error)


def test_a_missing_program_says_so(shop: RunningServer) -> None:
    source = source_of(shop.url("shop"))
    access = replace(source.server.access, program="/nowhere/mysqldump")
    lost = replace(source, server=MysqlServer(access=access))
    error = failure_of(lambda: content(only_member(lost)))
    assert "/nowhere/mysqldump is not installed" in str(error)


def test_a_connection_that_is_cut_fails_the_dump(large: RunningServer) -> None:
    dump = stream(only_member(source_of(large.url("large"))))
    next(dump)
    dumping = "SELECT id FROM information_schema.processlist WHERE db = 'large';"
    large.sql(f"KILL {large.sql(dumping)};")
    error = failure_of(lambda: list(dump))
    assert isinstance(error, DumpError)
    assert error.exit_status
    assert "look into its log" in error.hint


def test_a_server_killed_in_the_middle_fails_the_dump(
    server_folder: Callable[[], Path],
) -> None:
    server = start_mariadb(server_folder())
    try:
        server.sql("CREATE DATABASE d;")
        server.sql("CREATE TABLE t AS SELECT seq, REPEAT('x', 1000) FROM seq_1_to_50000;", "d")
        dump = stream(only_member(source_of(server.url("d"))))
        next(dump)
    finally:
        server.stop(signal.SIGKILL)
    error = failure_of(lambda: list(dump))
    assert isinstance(error, DumpError)
    assert error.exit_status
    assert "look into its log" in error.hint


def test_who_stops_reading_leaves_no_connection_open(shop: RunningServer) -> None:
    dump = stream(only_member(source_of(shop.url("shop"))))
    next(dump)
    dump.close()  # type: ignore[attr-defined]
    others = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = 'shop';"
    wait_until(lambda: shop.sql(others) == "0")


def test_a_load_that_fails_says_that_the_database_is_half_loaded(
    shop: RunningServer, copy: str
) -> None:
    member = only_member(source_of(shop.url("shop")))
    dump = content(member)
    with pytest.raises(LoadError, match="holds what was loaded until then"):
        loader_of(shop, copy).load(member.path, [dump[:1_000_000], b"nonsense;"])


def test_a_load_can_replace_what_is_there(shop: RunningServer, copy: str) -> None:
    member = only_member(source_of(shop.url("shop")))
    dump = content(member)
    loader = loader_of(shop, copy)
    loader.load(member.path, [dump])
    before = loader.tables()
    shop.sql("TRUNCATE everything; DROP TABLE latin;", copy)
    loader.replace(member.path, [dump])
    assert loader.tables() == before


def test_a_trial_leaves_no_database_behind_even_if_it_fails(shop: RunningServer) -> None:
    before = shop.sql("SHOW DATABASES;")
    member = only_member(source_of(shop.url("shop")))
    with loader_of(shop, "shop").scratch() as scratch:
        load(scratch, member)
        known = facts(member).tables
        assert {name: scratch.tables()[name] for name in known} == dict(known)
        assert shop.sql("SHOW DATABASES;") != before
    assert shop.sql("SHOW DATABASES;") == before
    with pytest.raises(LoadError), loader_of(shop, "shop").scratch() as scratch:
        scratch.load("x.sql", [b"nonsense;"])
    assert shop.sql("SHOW DATABASES;") == before
