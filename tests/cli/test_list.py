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
