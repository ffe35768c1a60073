from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from backupd.model import DatabaseFacts
from backupd.row_counts import WORTH_NAMING, named, shrunk_tables

COUNTS = st.dictionaries(st.sampled_from(["a", "b", "log_1", "log_2"]), st.integers(0, 10_000))


def dump(left_out: tuple[str, ...] = (), *, exact: bool = True, **rows: int) -> DatabaseFacts:
    return replace(of(rows), exact=exact, left_out=left_out)


def of(rows: dict[str, int]) -> DatabaseFacts:
    return DatabaseFacts(name="shop", kind="postgresql", tables=rows)


def said(now: DatabaseFacts, *earlier: DatabaseFacts, percent: int = 50) -> list[str]:
    return list(map(str, shrunk_tables(now, earlier, percent)))


def test_a_table_and_the_whole_are_named_with_both_figures() -> None:
    assert said(dump(orders=3, users=900), dump(orders=12_000, users=900)) == [
        "all tables 903 (12,900 before)",
        "orders 3 (12,000 before)",
    ]


def test_a_table_that_lost_rows_in_a_large_database_is_named_alone() -> None:
    earlier = [dump(orders=1000, users=90_000)] * 3
    assert said(dump(orders=400, users=90_000), *earlier) == ["orders 400 (1,000 before)"]


def test_just_the_allowed_share_is_no_loss() -> None:
    assert said(dump(orders=500), dump(orders=1000)) == []
    assert said(dump(orders=499), dump(orders=1000)) != []
    assert said(dump(orders=0), dump(orders=1000), percent=100) == []


def test_the_first_dump_and_a_new_table_have_nothing_to_be_compared_with() -> None:
    assert said(dump(orders=0)) == []
    assert said(dump(orders=1000, users=0), dump(orders=1000)) == []


def test_a_dropped_table_is_said_to_be_gone_and_forgotten_after_some_dumps() -> None:
    before = dump(orders=1000, users=9000)
    after = dump(users=9000)
    assert said(after, before) == ["orders, which is gone (1,000 before)"]
    assert said(after, after, after, before, before, before) != []
    assert said(after, after, after, after, before, before) == []


def test_a_table_that_the_settings_leave_out_by_now_is_no_loss() -> None:
    before = dump(orders=1000, sessions=9000)
    assert said(dump(("sessions",), orders=1000), before) == []
    assert said(dump(("sessions",), orders=1000, sessions=0), before) == []


def test_a_table_that_is_not_left_out_any_more_is_as_good_as_new() -> None:
    before = dump(("sessions",), orders=1000, sessions=0)
    assert said(dump(orders=1000, sessions=5), before) == []


def test_estimated_rows_are_not_compared_on_either_side() -> None:
    assert said(dump(orders=0, exact=False), dump(orders=1000)) == []
    assert said(dump(orders=0), dump(orders=1000, exact=False)) == []
    assert said(dump(orders=0), dump(orders=1, exact=False), dump(orders=1000)) != []


def test_small_tables_count_only_in_the_sum() -> None:
    few = WORTH_NAMING - 1
    assert said(dump(queue=0, orders=10_000), dump(queue=few, orders=10_000)) == []
    assert said(dump(queue=0), dump(queue=few)) == [f"all tables 0 ({few} before)"]


def test_partitions_and_monthly_tables_come_and_go() -> None:
    months = {f"visits_2026_{month:02}": 1000 for month in range(1, 13)}
    turned = {name: rows for name, rows in months.items() if name > "visits_2026_04"}
    assert said(of(turned | {"visits_2027_01": 10}), of(months)) == []
    assert said(dump(visits_2027_01=10), of(months))[1:] == ["visits_*_* 10 (12,000 before)"]


def test_a_database_that_moved_to_another_engine_begins_anew() -> None:
    other = DatabaseFacts(name="shop", kind="mysql", tables={"orders": 1000})
    assert said(of({"public.orders": 0}), other) == []


def test_one_odd_dump_before_does_not_move_the_figure() -> None:
    usual = dump(orders=1000)
    assert said(usual, dump(orders=90_000), usual, usual) == []


def test_only_the_first_ones_are_named() -> None:
    before = dict.fromkeys("abcdef", 1000)
    found = shrunk_tables(dump(), [of(before)], 50)
    assert named(found) == (
        "all tables 0 (6,000 before), a, which is gone (1,000 before), "
        "b, which is gone (1,000 before) and 4 more"
    )


@given(now=COUNTS, earlier=st.lists(COUNTS, max_size=12))
def test_what_did_not_lose_a_row_is_never_named(
    now: dict[str, int], earlier: list[dict[str, int]]
) -> None:
    grown = {
        name: max([now.get(name, 0), *(each.get(name, 0) for each in earlier)])
        for name in {*now, *(name for each in earlier for name in each)}
    }
    assert said(of(grown), *(of(each) for each in earlier)) == []
