from backupd.model import DatabaseFacts
from backupd.operations.load import differences


def facts(kind: str, *, exact: bool = True, **tables: int) -> DatabaseFacts:
    return DatabaseFacts(name="main", kind=kind, tables=tables, exact=exact)


def test_a_database_as_it_was_dumped_does_not_differ() -> None:
    known = facts("postgresql", orders=3, users=0)
    assert not list(differences(known, {"orders": 3, "users": 0, "a_view": 0}))


def test_a_table_that_is_missing_or_has_other_rows_is_named() -> None:
    found = list(differences(facts("postgresql", orders=3, users=1), {"orders": 2}))
    assert found == [
        "The table orders has 2 rows; the manifest says 3.",
        "The table users is not there.",
    ]


def test_estimated_rows_prove_nothing() -> None:
    assert not list(differences(facts("postgresql", exact=False, orders=3), {"orders": 9}))


def test_rows_counted_a_moment_before_the_dump_may_differ_but_not_by_half() -> None:
    known = facts("mariadb", orders=100)
    assert not list(differences(known, {"orders": 50}))
    assert not list(differences(known, {"orders": 120}))
    assert list(differences(known, {"orders": 49}))
