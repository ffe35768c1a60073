"""PostgreSQL: dumped from a real server and loaded back."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backupd.errors import DumpError, LoadError
from backupd.loaders.postgres import PostgresLoader
from backupd.sources.database_url import DatabaseAccess, parse_database_url
from backupd.sources.dump import Compression
from backupd.sources.postgres import PostgresDatabase, PostgresFormat
from backupd.sources.postgres_server import PostgresServer
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
from external.databases.servers import RunningServer, start_postgresql

STATIC = (
    "everything",
    '"Odd ""Schema"""."a.b $c \'d\' é\ne"',
    "visits_2025",
    "visits_2026",
    "parent",
    "totals",
    "pages",
    "audit",
)

STOP = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND query ~ '(CALL trade|pg_sleep)';"""


def source_of(url: str, **changes: object) -> PostgresDatabase:
    server = PostgresServer(access=DatabaseAccess(address=parse_database_url(url)))
    source = PostgresDatabase(name="main", server=server, when=WHEN, zone=WHEN.tzinfo)  # type: ignore[arg-type]
    return replace(source, **changes)  # type: ignore[arg-type]


def loader_of(postgresql: RunningServer, database: str) -> PostgresLoader:
    access = DatabaseAccess(address=parse_database_url(postgresql.url("")))
    return PostgresLoader(name="main", server=PostgresServer(access=access), database=database)


def checksum(server: RunningServer, database: str, table: str, where: str = "true") -> str:
    rows = "md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\"))"
    return server.sql(f"SELECT {rows} FROM {table} t WHERE {where};", database)  # noqa: S608


@pytest.fixture(scope="module")
def shop(postgresql: RunningServer) -> Iterator[RunningServer]:
    """Fill a small database; a few thousand rows are enough for most tests."""
    postgresql.sql("CREATE DATABASE shop;")
    postgresql.sql(sample("postgresql", FEW_ROWS), "shop")
    yield postgresql
    postgresql.sql("DROP DATABASE shop WITH (FORCE);")


@pytest.fixture(scope="module")
def large(postgresql: RunningServer) -> Iterator[RunningServer]:
    """Fill a database with 200,000 rows."""
    postgresql.sql("CREATE DATABASE large;")
    postgresql.sql(sample("postgresql", ROWS), "large")
    yield postgresql
    postgresql.sql("DROP DATABASE large WITH (FORCE);")


@pytest.fixture
def copy(postgresql: RunningServer) -> Iterator[str]:
    """Name a database that the test may fill, as nobody names one."""
    name = "copy of 'it' \\ = \"x\""
    yield name
    postgresql.sql('DROP DATABASE IF EXISTS "copy of \'it\' \\ = ""x""" WITH (FORCE);')


@pytest.mark.parametrize(
    ("name", "rows", "form", "compression", "ending"),
    [
        ("large", ROWS, PostgresFormat.CUSTOM, Compression.NONE, ".dump"),
        ("shop", FEW_ROWS, PostgresFormat.PLAIN, Compression.GZIP, ".sql.gz"),
    ],
)
def test_a_dump_under_writes_comes_back_as_it_was_at_one_moment(
    *,
    large: RunningServer,
    shop: RunningServer,
    copy: str,
    name: str,
    rows: int,
    form: PostgresFormat,
    compression: Compression,
    ending: str,
) -> None:
    member = only_member(source_of(shop.url(name), format=form, compression=compression))
    shop.sql("TRUNCATE journal; UPDATE balance SET n = 0, total = 0;", name)
    with program((*shop.client, "-d", name), f"CALL trade({PAUSE});"):
        wait_until(lambda: shop.sql("SELECT n >= 20 FROM balance;", name) == "t")
        load(loader_of(shop, copy), member)
        after = int(shop.sql("SELECT n FROM balance;", name))
        shop.sql(STOP, name)
    assert member.path.endswith(ending)
    n = int(shop.sql("SELECT n FROM balance;", copy))
    assert 20 <= n < after
    assert shop.sql("SELECT total - (SELECT sum(amount) FROM journal) FROM balance;", copy) == "0"
    dumped = checksum(shop, name, "journal", f"seq <= {n}")
    assert checksum(shop, copy, "journal") == dumped
    for table in STATIC:
        assert checksum(shop, copy, table) == checksum(shop, name, table), table
    known = facts(member)
    assert known.exact
    assert known.tables["public.journal"] == n
    assert sum(known.tables.values()) == rows + 40_101 + n + known.tables["public.audit"]
    there = loader_of(shop, copy).tables()
    assert {name: there[name] for name in known.tables} == known.tables
    others = "SELECT md5(lo_get(4242)), nextval('tickets') FROM (SELECT 1) x;"
    assert shop.sql(others, copy) == shop.sql(others, name)
    assert shop.sql("CALL forget(); UPDATE parent SET next = 1; SELECT * FROM audit;", copy)


def test_all_databases_of_a_server_are_dumped_and_none_takes_another_s_name(
    shop: RunningServer,
) -> None:
    shop.sql('CREATE DATABASE "a/b";')
    shop.sql('CREATE DATABASE "a.b";')
    try:
        members = list(source_of(shop.url(""), with_globals=True).members())
        assert {
            "db-dumps/postgresql-main.a%2Eb-2026-11-22-01-00-00.dump",
            "db-dumps/postgresql-main.a%2Fb-2026-11-22-01-00-00.dump",
            "db-dumps/postgresql-main.postgres-2026-11-22-01-00-00.dump",
            "db-dumps/postgresql-main.shop-2026-11-22-01-00-00.dump",
            "db-dumps/postgresql-main.@globals-2026-11-22-01-00-00.sql",
        } <= {member.path for member in members}
        assert b"CREATE ROLE postgres;" in content(members[-1])
        assert content(members[0]).startswith(b"PGDMP")
    finally:
        shop.sql('DROP DATABASE "a/b";')
        shop.sql('DROP DATABASE "a.b";')


def test_only_what_is_selected_is_dumped_and_counted(shop: RunningServer, copy: str) -> None:
    selection = TableSelection(
        exclude=["Odd*.*", "visits", "pages", "everything", "totals"], without_data=["parent"]
    )
    member = only_member(source_of(shop.url("shop"), selection=selection))
    load(loader_of(shop, copy), member)
    tables = loader_of(shop, copy).tables()
    assert facts(member).tables == {
        "public.audit": tables["public.audit"],
        "public.balance": 1,
        "public.journal": tables["public.journal"],
        "public.parent": 0,
    }
    assert set(tables) == set(facts(member).tables)
    assert set(facts(member).left_out) == {
        '"Odd ""Schema"""."a.b $c \'d\' é\ne"',
        *(f"public.{name}" for name in ("everything", "parent")),
        *(f"public.visits_{year}" for year in (2025, 2026)),
    }


def test_a_table_that_is_included_brings_its_partitions(shop: RunningServer, copy: str) -> None:
    selection = TableSelection(include=["public.visits"])
    member = only_member(source_of(shop.url("shop"), selection=selection))
    load(loader_of(shop, copy), member)
    assert sum(facts(member).tables.values()) == 39_000
    assert shop.sql("SELECT count(*) FROM visits;", copy) == "39000"


def test_a_schema_without_rows_is_dumped_when_asked_for(shop: RunningServer, copy: str) -> None:
    member = only_member(source_of(shop.url("shop"), schema_only=True))
    load(loader_of(shop, copy), member)
    assert set(facts(member).tables.values()) == {0}
    assert shop.sql("SELECT count(*) FROM everything;", copy) == "0"


def test_a_misspelt_table_fails_the_dump(shop: RunningServer) -> None:
    selection = TableSelection(include=["evrything"])
    member = only_member(source_of(shop.url("shop"), selection=selection))
    with pytest.raises(DumpError, match="No table of the database 'shop' is named 'evrything'"):
        content(member)


@pytest.mark.parametrize("password", [EVERY_CHARACTER, "'\\", " ", "ünï cödé 🎉"])
def test_any_password_works_and_nobody_sees_it(shop: RunningServer, password: str) -> None:
    user = "dump user:é\\"
    literal = password.replace("'", "''")
    shop.sql(f"CREATE USER \"{user}\" PASSWORD '{literal}' IN ROLE pg_read_all_data;")
    try:
        with Spy() as spy:
            url = shop.url("postgres", user, password)
            assert content(only_member(source_of(url)))
            by_socket = source_of(f"{url}?host={shop.folder}")
            spy.meets({b"pg_dump", b"psql"}, lambda: content(only_member(by_socket)))
        assert not [seen for seen in spy.seen if len(password) > 3 and password.encode() in seen]
    finally:
        shop.sql(f'DROP USER "{user}";')


def test_a_wrong_password_says_so(shop: RunningServer) -> None:
    url = shop.url("shop", "postgres", "wrong") + f"?host={shop.folder}"
    error = failure_of(lambda: only_member(source_of(url)))
    assert "password authentication failed" in str(error)
    assert "Check user and password" in error.hint


def test_a_table_without_the_right_to_read_it_fails_the_dump(shop: RunningServer) -> None:
    shop.sql("CREATE USER reader PASSWORD 'x';")
    shop.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;", "shop")
    try:
        source = source_of(shop.url("shop", "reader", "x"))
        seen = str(failure_of(lambda: list(source.examine())))
        assert 'may not read everything in the database \'shop\': "Odd ""Schema""".' in seen
        error = failure_of(lambda: content(only_member(source)))
        assert "permission denied for" in str(error)
        assert "least rights" in error.hint
    finally:
        shop.sql("DROP OWNED BY reader;", "shop")
        shop.sql("DROP USER reader;")


def test_the_least_rights_that_the_manual_names_are_enough(shop: RunningServer) -> None:
    shop.sql("CREATE USER reader PASSWORD 'x' IN ROLE pg_read_all_data;")
    try:
        selection = TableSelection(exclude=["none"])
        source = source_of(shop.url("shop", "reader", "x"), selection=selection)
        (sighting,) = source.examine()
        assert "all of which may be read" in sighting.sentence
        assert content(only_member(replace(source, options=["--no-blobs"])))
    finally:
        shop.sql("DROP USER reader;")


def test_a_server_that_is_not_there_says_so(shop: RunningServer) -> None:
    error = failure_of(lambda: only_member(source_of("postgresql://u@127.0.0.1:1/shop")))
    assert "Connection refused" in str(error)
    assert "Check that the server runs" in error.hint


def test_a_database_that_is_not_there_says_so(shop: RunningServer) -> None:
    error = failure_of(lambda: only_member(source_of(shop.url("shoop"))))
    assert 'database "shoop" does not exist' in str(error)


def test_a_missing_program_says_so(shop: RunningServer) -> None:
    source = source_of(shop.url("shop"))
    access = replace(source.server.access, program="/nowhere/pg_dump")
    lost = replace(source, server=PostgresServer(access=access))
    error = failure_of(lambda: only_member(lost))
    assert "/nowhere/pg_dump is not installed" in str(error)


def test_a_dump_waiting_for_a_lock_is_given_up(shop: RunningServer) -> None:
    source = source_of(shop.url("shop"))
    access = replace(source.server.access, stall_limit=1.0)
    member = only_member(replace(source, server=PostgresServer(access=access)))
    with program((*shop.client, "-d", "shop"), "BEGIN; LOCK TABLE audit; SELECT pg_sleep(600);"):
        locks = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted;"
        wait_until(lambda: shop.sql(locks, "shop") != "0")
        error = failure_of(lambda: content(member))
        shop.sql(STOP)
    assert "lock" in str(error) + error.hint


def test_a_connection_that_is_cut_fails_the_dump(shop: RunningServer) -> None:
    dump = stream(only_member(source_of(shop.url("shop"))))
    next(dump)
    shop.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'backupd' AND query LIKE '%COPY%';"
    )
    error = failure_of(lambda: list(dump))
    assert "terminating connection" in str(error) or "closed the connection" in str(error)
    assert "look into its log" in error.hint


def test_a_server_killed_in_the_middle_fails_the_dump(
    server_folder: Callable[[], Path],
) -> None:
    server = start_postgresql(server_folder())
    try:
        server.sql(
            "CREATE TABLE t AS SELECT i, repeat('x', 1000) FROM generate_series(1, 50000) i;"
        )
        dump = stream(only_member(source_of(server.url("postgres"))))
        next(dump)
    finally:
        server.stop(signal.SIGQUIT)
    error = failure_of(lambda: list(dump))
    assert isinstance(error, DumpError)
    assert error.exit_status
    assert "look into its log" in error.hint


def test_who_stops_reading_leaves_no_connection_open(shop: RunningServer) -> None:
    dump = stream(only_member(source_of(shop.url("shop"))))
    next(dump)
    dump.close()  # type: ignore[attr-defined]
    open_still = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'backupd';"
    wait_until(lambda: shop.sql(open_still) == "0")


@pytest.mark.parametrize("form", list(PostgresFormat))
def test_a_failed_load_leaves_the_database_as_it_was(
    shop: RunningServer, copy: str, form: PostgresFormat
) -> None:
    member = only_member(source_of(shop.url("shop"), format=form))
    dump = content(member)
    # In the middle of a word: half of a script may well be a script.
    is_script = form is PostgresFormat.PLAIN
    half = dump[: dump.index(b"\nCOPY ") + 4 if is_script else len(dump) // 2]
    loader = loader_of(shop, copy)
    with pytest.raises(LoadError, match="The database is as it was before"):
        loader.load(member.path, [half])
    assert loader.tables() == {}
    loader.load(member.path, [dump])
    before = loader.tables()
    with pytest.raises(LoadError, match="The database is as it was before"):
        loader.load(member.path, [dump])
    with pytest.raises(LoadError, match="The database is as it was before"):
        loader.replace(member.path, [half])
    assert loader.tables() == before


@pytest.mark.parametrize("form", list(PostgresFormat))
def test_a_load_can_replace_what_is_there(
    shop: RunningServer, copy: str, form: PostgresFormat
) -> None:
    member = only_member(source_of(shop.url("shop"), format=form))
    dump = content(member)
    loader = loader_of(shop, copy)
    loader.load(member.path, [dump])
    before = loader.tables()
    shop.sql("TRUNCATE everything; DROP VIEW totals;", copy)
    loader.replace(member.path, [dump])
    assert loader.tables() == before


def test_a_trial_leaves_no_database_behind_even_if_it_fails(shop: RunningServer) -> None:
    names = "SELECT count(*) FROM pg_database;"
    before = shop.sql(names)
    member = only_member(source_of(shop.url("shop")))
    with loader_of(shop, "shop").scratch() as scratch:
        load(scratch, member)
        known = facts(member).tables
        assert {name: scratch.tables()[name] for name in known} == dict(known)
        assert shop.sql(names) != before
    assert shop.sql(names) == before
    with (
        pytest.raises(LoadError),
        loader_of(shop, "shop").scratch() as scratch,
    ):
        scratch.load("x.dump", [b"PGDMP and no more"])
    assert shop.sql(names) == before
