"""`backupd list` as its user meets it."""

import json

from conftest import Program


def test_it_is_a_table_with_a_row_per_destination(program: Program) -> None:
    program("run")
    done = program("list")
    assert done.code == 0
    headings, _, row = done.out.splitlines()
    assert headings.split()[:3] == ["Name", "Destination", "Reachable"]
    assert row.split()[:3] == ["shop", "here", "yes"]


def test_before_the_first_backup_there_are_none(program: Program) -> None:
    [row] = json.loads(program("list", "--json").out)
    assert (row["count"], row["newest"], row["reachable"]) == (0, None, True)


def test_foreign_files_and_other_sets_are_not_listed(program: Program) -> None:
    program("run")
    for name in ("notes.zip", "shop-eu-2025-11-08-01-00-00.zip", "shop-2025.zip"):
        (program.backups / name).touch()
    [row] = json.loads(program("list", "--json").out)
    assert row["count"] == 1


def test_a_destination_that_cannot_be_reached_is_said_to_be(program: Program) -> None:
    (program.folder / "file").touch()
    program.set(
        DESTINATIONS__BROKEN__TYPE="local",
        DESTINATIONS__BROKEN__PATH=str(program.folder / "file"),
    )
    done = program("list")
    assert done.code == 1
    assert "broken" in done.err


def test_it_fits_80_columns_when_it_must(program: Program) -> None:
    program("run")
    done = program("list", COLUMNS="80")
    assert max(map(len, done.out.splitlines())) <= 80
    assert "Healthy yes" in done.out


def test_backups_have_a_row_each_with_the_reason(program: Program) -> None:
    program("run")
    program("run", "--only-files")
    done = program("list", "--backups")
    head, headings, _, second, first, *_ = done.out.splitlines()
    assert head.startswith("shop at here: 2 backups, ")
    assert headings.split()[1:5] == ["Size", "Age", "Enc", "Ver"]
    assert second.endswith("only-files: newest")
    assert first.endswith("no   -    newest")
    assert max(map(len, done.out.splitlines())) <= 80


def test_backups_fit_a_narrow_terminal_too(program: Program) -> None:
    program("run", "--only-files", "--suffix", "upgrade")
    done = program("list", "--backups", COLUMNS="60")
    assert max(map(len, done.out.splitlines())) <= 60
    _, headings, _, row, reason, *_ = done.out.splitlines()
    assert headings.split() == ["Name", "Size", "Age", "Enc", "Ver"]
    assert row.endswith("no   -")
    assert reason == "  only-files: newest"


def test_backups_as_json_tell_everything(program: Program) -> None:
    program("run", "--only-files")
    [row] = json.loads(program("list", "--backups", "--json").out)
    [backup] = row["backups"]
    assert backup["scope"] == "only-files"
    assert (backup["encrypted"], backup["condition"]) == (False, "unproved")
    assert (backup["keep"], backup["rule"], backup["reason"]) == (True, "newest", "newest")


def test_the_calendar_draws_today(program: Program) -> None:
    program("run")
    done = program("list", "--calendar")
    assert done.code == 0
    assert "Mo Tu We Th Fr Sa Su" in done.out
    assert done.out.count("■") >= 5, "the legend, today, this week, month and year"
    assert "+ more" in done.out
    assert "\x1b" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_a_damaged_copy_that_was_replaced_by_a_good_one_is_not_bad_any_more(
    program: Program,
) -> None:
    there = program.folder / "there"
    program.set(DESTINATIONS__THERE__TYPE="local", DESTINATIONS__THERE__PATH=str(there))
    program("run")
    (copy,) = there.glob("*.zip")
    content = bytearray(copy.read_bytes())
    copy.unlink()  # the other destination's is the same file
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    assert program("verify").code == 1
    assert " BAD " in program("list", "--backups").out
    copy.unlink()
    assert program("deliver").code == 0
    assert " BAD " not in program("list", "--backups").out
    assert " BAD " not in program("status").out
