import pytest

from backupd.errors import DumpError
from backupd.sources.tables import ALL_TABLES, Table, TableSelection

orders = Table("shop", "orders")
part = Table("shop", "orders_2026", root_schema="shop", root_name="orders")
log = Table("public", "log_web")


def test_all_tables_are_dumped_if_nothing_is_said() -> None:
    assert not any(map(ALL_TABLES.omits, (orders, part, log)))


def test_a_pattern_stands_for_a_name_with_or_without_its_schema() -> None:
    for pattern in ("orders", "shop.orders", "shop.o*", "ord?rs"):
        assert not TableSelection(include=[pattern]).omits(orders)
        assert TableSelection(exclude=[pattern]).omits(orders)
    assert TableSelection(include=["Orders"]).omits(orders)


def test_a_partition_goes_where_its_table_goes() -> None:
    assert TableSelection(exclude=["orders"]).omits(part)
    assert not TableSelection(include=["shop.orders"]).omits(part)


def test_a_table_without_data_is_kept_but_not_its_rows() -> None:
    selection = TableSelection(without_data=["log_*"])
    assert not selection.omits(log)
    assert not selection.keeps_rows(log)
    assert selection.keeps_rows(orders)


def test_a_name_that_stands_for_nothing_is_refused() -> None:
    with pytest.raises(DumpError, match="No table of the database 'shop' is named 'ordres'"):
        TableSelection(include=["orders", "ordres"]).refuse_unmatched([orders, log], "shop")
    TableSelection(exclude=["ordres"]).refuse_unmatched([orders, log], "shop")
