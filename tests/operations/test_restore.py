"""Restoring into a directory."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC
from pathlib import Path

import pytest

from backupd.archive.view import ObjectView
from backupd.destinations.local import LocalDirectory
from backupd.errors import DamagedError, DestinationError, RefusedError, WrongPasswordError
from backupd.events import Event, Progressed
from backupd.model import Member, MemberKind, Omission, OmissionReason, Outcome, Scope
from backupd.operations.restore import Restore
from backupd.operations.retrieve import Reading
from backupd.operations.select import Selection
from backupd.reports import RestorePlan, RestoreReport
from fakes.archives import KEY, CountingDestination, archive_of, look, odd_tree, view_of


def restoring(
    target: Path,
    *copies: ObjectView,
    selection: Selection | None = None,
    password: str | None = None,
    overwrite: bool = False,
    skip_damaged: bool = False,
) -> Restore:
    return Restore(
        copies=copies,
        target=target,
        selection=selection or Selection(),
        reading=Reading(password=password, zone=UTC, skip_damaged=skip_damaged),
        overwrite=overwrite,
    )


def restore(operation: Restore, listen: Callable[[Event], None] = lambda _: None) -> RestoreReport:
    return operation.run(listen)


def unseen(_: RestorePlan) -> None:
    """Look at no plan."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return odd_tree(tmp_path / "tree")


@pytest.fixture
def kept(tmp_path: Path, tree: Path) -> Path:
    archive_of(tree, tmp_path / "kept")
    return tmp_path / "kept"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.mark.parametrize("password", [None, "päss wörd"])
def test_a_tree_with_every_oddity_comes_back_as_it_was(
    tmp_path: Path, tree: Path, out: Path, password: str | None
) -> None:
    archive_of(tree, tmp_path / "kept", password=password)
    report = restore(restoring(out, view_of(tmp_path / "kept"), password=password))
    assert report.outcome is Outcome.SUCCEEDED
    assert look(out) == look(tree)


@pytest.mark.parametrize("password", ["wrong", None])
def test_a_wrong_password_is_one_error_before_anything_is_written(
    tmp_path: Path, tree: Path, out: Path, password: str | None
) -> None:
    archive_of(tree, tmp_path / "kept", password="right")
    with pytest.raises(WrongPasswordError):
        restore(restoring(out, view_of(tmp_path / "kept"), password=password))
    assert not out.exists()


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("app/d1/**",), {"app", "app/d1", "app/d1/f1.php", "app/d1/f8.php"}),
        (("f1.php", "!app/d1/f1.php"), None),
        (("/nothing", "to-*", "!to-above"), {"nothing", "to-file", "to-nowhere", "to-directory"}),
        (("empty/",), {"empty", "empty/deep", "empty/deep/er"}),
    ],
)
def test_patterns_choose_as_gitignore_does(
    kept: Path, out: Path, patterns: tuple[str, ...], expected: set[str] | None
) -> None:
    operation = restoring(out, view_of(kept), selection=Selection(patterns=patterns))
    if expected is None:
        with pytest.raises(RefusedError, match="nothing that"):
            restore(operation)
        return
    restore(operation)
    found = {os.fsdecode(name) for name in look(out)}
    assert {name for name in found if not name.startswith("app/d1/f")} | {
        name for name in expected if name.startswith("app/d1/f")
    } == expected
    assert expected <= found


def test_only_the_dumps_or_only_the_files(tmp_path: Path, tree: Path, out: Path) -> None:
    dump = tmp_path / "dump.sqlite"
    dump.write_bytes(b"dump")
    member = Member(
        path="db-dumps/sqlite-main-2025-11-08-01-00-00.sqlite",
        kind=MemberKind.DUMP,
        size=4,
        mtime_ns=0,
        mode=0o600,
        origin=str(dump),
    )
    archive_of(tree, tmp_path / "kept", members=(member,))
    view = view_of(tmp_path / "kept")
    report = restore(restoring(out, view, selection=Selection(scope=Scope.ONLY_DB)))
    assert report.dumps == (member.path,)
    assert {os.fsdecode(name) for name in look(out)} == {"db-dumps", member.path}
    files = tmp_path / "files"
    restore(restoring(files, view, selection=Selection(scope=Scope.ONLY_FILES)))
    assert look(files) == look(tree)


def test_what_is_there_is_never_replaced_unless_asked(kept: Path, tree: Path, out: Path) -> None:
    (out / "app/d1").mkdir(parents=True)
    (out / "app/d1/f1.php").write_text("mine")
    (out / "foreign").write_text("stays")
    with pytest.raises(RefusedError, match=r"f1\.php is there already"):
        restore(restoring(out, view_of(kept)))
    assert {os.fsdecode(name) for name in look(out)} == {
        "app",
        "app/d1",
        "app/d1/f1.php",
        "foreign",
    }
    restore(restoring(out, view_of(kept), overwrite=True))
    assert (out / "foreign").read_text() == "stays"
    (out / "foreign").unlink()
    assert look(out) == look(tree)


def test_a_plan_writes_nothing(kept: Path, out: Path) -> None:
    plan = restoring(out, view_of(kept)).plan(unseen)
    assert "app/d1/f1.php" in plan.members
    assert plan.bytes_to_write >= 14_000_000
    assert not out.exists()


def test_a_file_system_that_is_too_small_is_refused_before_anything_is_written(
    tmp_path: Path, out: Path
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    with (tree / "huge").open("wb") as file:
        file.truncate(64 * 1024)
    archive_of(tree, tmp_path / "kept")
    view = view_of(tmp_path / "kept")
    operation = restoring(out, view)
    plan = operation.plan(unseen)
    assert plan.bytes_to_write == 64 * 1024
    assert plan.bytes_free > 0


class Stopped(Exception):  # noqa: N818
    """Thrown in by a test."""


@pytest.mark.parametrize("after", [0, 3_000_000, 9_000_000, 13_000_000])
def test_a_restore_that_was_stopped_goes_on_where_it_was(
    kept: Path, tree: Path, out: Path, after: int
) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Progressed) and event.done > after:
            raise Stopped

    with pytest.raises(Stopped):
        restore(restoring(out, view_of(kept)), stop)
    whole = {name: seen for name, seen in look(tree).items() if seen.content}
    partly = {name: seen for name, seen in look(out).items() if seen.content}
    assert all(whole[name] == seen for name, seen in partly.items())
    (out / ".backupd-0123456789abcdef.partial").write_text("left by a dead run")
    report = restore(restoring(out, view_of(kept)))
    assert report.plan.unchanged == len(partly)
    assert look(out) == look(tree)


def test_the_next_destination_gives_what_the_first_cannot(
    tmp_path: Path, kept: Path, tree: Path, out: Path
) -> None:
    cut = tmp_path / "cut"
    cut.mkdir()
    whole = (kept / KEY).read_bytes()
    middle = len(whole) // 2
    (cut / KEY).write_bytes(whole[:middle] + bytes(200) + whole[middle + 200 :])
    report = restore(restoring(out, view_of(cut, "near"), view_of(kept, "far")))
    assert report.outcome is Outcome.SUCCEEDED
    assert any("big.bin" in note or "damaged" in note for note in report.notes)
    assert look(out) == look(tree)


def test_a_destination_that_fails_at_once_is_passed_over(
    tmp_path: Path, kept: Path, tree: Path, out: Path
) -> None:
    nowhere = LocalDirectory(name="gone", path=tmp_path / "nowhere")
    gone = ObjectView(destination=nowhere, key=KEY, size=view_of(kept).size)
    report = restore(restoring(out, gone, view_of(kept)))
    assert "'gone' was given up" in report.notes[0]
    assert look(out) == look(tree)
    with pytest.raises(DestinationError):
        restore(restoring(tmp_path / "other", gone))


def test_damaged_members_are_refused_or_skipped(kept: Path, tree: Path, out: Path) -> None:
    whole = bytearray((kept / KEY).read_bytes())
    place = whole.find((tree / "big.bin").read_bytes()[1000:1100])
    place = place if place >= 0 else len(whole) // 2
    whole[place] ^= 1
    (kept / KEY).write_bytes(whole)
    with pytest.raises(DamagedError, match=r"big\.bin"):
        restore(restoring(out, view_of(kept)))
    report = restore(restoring(out, view_of(kept), skip_damaged=True))
    assert report.outcome is Outcome.PARTIAL
    assert [flaw.path for flaw in report.flaws] == ["big.bin"]
    expected = look(tree)
    del expected[b"big.bin"]
    assert look(out) == expected


def test_a_link_that_was_planted_in_the_target_is_never_written_through(
    tmp_path: Path, kept: Path, out: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    out.mkdir()
    (out / "app").symlink_to(outside)
    for overwrite in (False, True):
        with pytest.raises(RefusedError, match="link"):
            restore(restoring(out, view_of(kept), overwrite=overwrite))
    assert list(outside.iterdir()) == []


def test_one_file_costs_the_directory_and_its_own_bytes(tmp_path: Path, out: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(30):
        (tree / f"{number}.bin").write_bytes(os.urandom(1_000_000))
    archive_of(tree, tmp_path / "kept")
    view = view_of(tmp_path / "kept")
    counting = CountingDestination(view.destination)
    counted = ObjectView(destination=counting, key=view.key, size=view.size)
    restore(restoring(out, counted, selection=Selection(patterns=("7.bin",))))
    assert (out / "7.bin").read_bytes() == (tree / "7.bin").read_bytes()
    assert counting.bytes < 1_300_000


def test_a_restored_database_opens(tmp_path: Path, out: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    with closing(sqlite3.connect(tree / "app.sqlite")) as database, database:
        database.execute("CREATE TABLE t (x)")
    archive_of(tree, tmp_path / "kept")
    restore(restoring(out, view_of(tmp_path / "kept")))
    with closing(sqlite3.connect(out / "app.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM t").fetchone() == (0,)


@pytest.mark.parametrize("other", ["cut short", "another tree"])
def test_what_no_copy_has_is_an_error_whatever_is_wrong_with_the_others(
    tmp_path: Path, kept: Path, tree: Path, out: Path, other: str
) -> None:
    whole = bytearray((kept / KEY).read_bytes())
    whole[len(whole) // 2] ^= 1
    (kept / KEY).write_bytes(whole)
    far = tmp_path / "far"
    if other == "cut short":
        far.mkdir()
        (far / KEY).write_bytes(whole[:100_000])
    else:
        (tmp_path / "small").mkdir()
        (tmp_path / "small" / "alone").touch()
        archive_of(tmp_path / "small", far)
    with pytest.raises(DamagedError):
        restore(restoring(out, view_of(kept), view_of(far, "far")))
    report = restore(restoring(out, view_of(kept), view_of(far, "far"), skip_damaged=True))
    assert [flaw.path for flaw in report.flaws] == ["big.bin"]
    expected = look(tree)
    del expected[b"big.bin"]
    assert look(out) == expected


def test_a_whole_copy_is_enough(kept: Path, out: Path) -> None:
    unasked = CountingDestination(view_of(kept).destination)
    second = ObjectView(destination=unasked, key=KEY, size=view_of(kept).size)
    restore(restoring(out, view_of(kept), second))
    assert unasked.requests == 0


def test_times_far_away_come_back(tmp_path: Path, tree: Path, out: Path) -> None:
    os.utime(tree / "nothing", ns=(0, 10_413_792_000_000_000_001))  # the year 2300
    archive_of(tree, tmp_path / "kept")
    restore(restoring(out, view_of(tmp_path / "kept")))
    assert look(out) == look(tree)


def test_what_the_backup_never_took_is_said(tmp_path: Path, tree: Path, out: Path) -> None:
    omissions = (
        Omission(path="secret.key", reason=OmissionReason.UNREADABLE),
        Omission(path="socket", reason=OmissionReason.SPECIAL, harmless=True),
    )
    archive_of(tree, tmp_path / "kept", members=omissions)
    report = restore(restoring(out, view_of(tmp_path / "kept")))
    assert report.plan.never_taken == ("secret.key",)
    assert report.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    "pattern", ["secret.key", "*.key", "/closed/", "closed/**", "/closed/deep/a", "unread", "app.*"]
)
def test_what_is_asked_for_and_was_never_taken_is_an_error(
    tmp_path: Path, out: Path, pattern: str
) -> None:
    tree = tmp_path / "tree"
    (tree / "closed").mkdir(parents=True)
    (tree / "hollow").mkdir()
    unread = [
        Omission(path=path, reason=OmissionReason.UNREADABLE, harmless=path == "unread")
        for path in ("secret.key", "closed", "unread", "app.socket")
    ]
    archive_of(tree, tmp_path / "kept", members=tuple(unread))
    asked = restoring(out, view_of(tmp_path / "kept"), selection=Selection(patterns=(pattern,)))
    for act in (lambda: asked.plan(unseen), lambda: restore(asked)):
        with pytest.raises(RefusedError, match=r"could not be read when .* \(unreadable\)"):
            act()
    assert not out.exists()


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("./app/d1/f1.php",), {"app", "app/d1", "app/d1/f1.php"}),
        (("./nothing", "/srv/shop/to-file"), {"nothing", "to-file"}),
        (("/srv/shop/app/d1/", "!./app/d1/f[!1].php"), {"app", "app/d1", "app/d1/f1.php"}),
        (("/srv/shopping/nothing", "/empty/deep"), {"empty", "empty/deep", "empty/deep/er"}),
    ],
)
def test_a_path_of_the_live_application_is_known(
    tmp_path: Path, out: Path, patterns: tuple[str, ...], expected: set[str]
) -> None:
    archive_of(odd_tree(tmp_path / "tree", files=9), tmp_path / "kept")
    selection = Selection(patterns=patterns, root=Path("/srv/shop"))
    restore(restoring(out, view_of(tmp_path / "kept"), selection=selection))
    assert {os.fsdecode(name) for name in look(out)} == expected


@pytest.mark.parametrize("pattern", [".", "./", "/srv/shop", "/srv/shop/"])
def test_the_root_is_everything(tree: Path, kept: Path, out: Path, pattern: str) -> None:
    selection = Selection(patterns=(pattern,), root=Path("/srv/shop"))
    restore(restoring(out, view_of(kept), selection=selection))
    assert look(out) == look(tree)


def test_an_empty_directory_may_be_all_that_is_asked_for(tmp_path: Path, out: Path) -> None:
    (tmp_path / "tree/hollow").mkdir(parents=True)
    omission = Omission(path="hollow.key", reason=OmissionReason.UNREADABLE)
    archive_of(tmp_path / "tree", tmp_path / "kept", members=(omission,))
    selection = Selection(patterns=("hollow",))
    restore(restoring(out, view_of(tmp_path / "kept"), selection=selection))
    assert (out / "hollow").is_dir()
