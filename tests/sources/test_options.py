import pytest

from backupd.sources.options import checked_options, checked_tables


def test_options_that_change_nothing_of_ours_are_taken() -> None:
    options = ("--no-owner", "--rows-per-insert=500", "--role=backup")
    assert checked_options("postgresql", options) == options


@pytest.mark.parametrize("option", ["-f", "x", "--", "--a b", "--no-owner x", "", "--é=1"])
def test_what_is_no_long_option_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match="--option or --option=value"):
        checked_options("postgresql", [option])


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        ("postgresql", "--file=/tmp/x"),
        ("postgresql", "--fi=/tmp/x"),
        ("postgresql", "--format=t"),
        ("postgresql", "--enable-row-security"),
        ("mysql", "--force"),
        ("mysql", "--result_file=/tmp/x"),
        ("mariadb", "--skip-comments"),
        ("mariadb", "--loose-skip-quick"),
        ("mariadb", "--password=x"),
        ("mongodb", "--excludecollection=x"),
        ("mongodb", "--out=/tmp"),
    ],
)
def test_what_would_spoil_a_dump_is_refused_however_it_is_written(kind: str, option: str) -> None:
    with pytest.raises(ValueError, match="what backupd does not set itself"):
        checked_options(kind, [option])


def test_sqlite_has_no_options_and_no_lists_of_tables() -> None:
    with pytest.raises(ValueError, match="without a program"):
        checked_options("sqlite", ["--x-y"])
    with pytest.raises(ValueError, match="copied whole"):
        checked_tables("sqlite", "include_tables", ("a",))
    assert checked_options("sqlite", ()) == ()
