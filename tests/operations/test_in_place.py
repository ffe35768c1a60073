"""Putting the application back where it was."""

import os
import shlex
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC
from pathlib import Path

import pytest

from backupd.errors import BackupdError, RefusedError
from backupd.events import Event, Progressed
from backupd.model import DatabaseFacts, Member, MemberKind, Outcome
from backupd.operations.in_place import InPlace
from backupd.operations.retrieve import Reading
from backupd.operations.select import Selection
from backupd.operations.sqlite_in_place import SqliteInPlace
from backupd.operations.staging import Application
from backupd.reports import RestoreReport
from fakes.archives import archive_of, look, view_of
from fakes.clock import WoundClock
from fakes.listening import deaf

DUMP = "db-dumps/sqlite-main-2025-11-08-01-00-00.sqlite"
NEW_ROWS, OLD_ROWS = 7, 3


def write_database(path: Path, rows: int, *, journal: str = "delete") -> None:
    with closing(sqlite3.connect(path)) as made, made:
        made.execute(f"PRAGMA journal_mode = {journal}")
        made.execute("CREATE TABLE users (name TEXT)")
        made.executemany("INSERT INTO users VALUES (?)", [(str(row),) for row in range(rows)])


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        (count,) = database.execute("SELECT count(*) FROM users").fetchone()
    return int(count)


class Site:
    """An application as it is, and a backup of it as it was."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "site"
        self.kept = folder / "kept"
        self.database = self.root / "database.sqlite"
        self._as_it_was(folder / "was", folder / "dump")
        self._as_it_is()
        self.old = self.files()

    def _as_it_was(self, was: Path, dump: Path) -> None:
        (was / "app/deep").mkdir(parents=True)
        (was / "empty").mkdir()
        (was / "app/code.php").write_text("new code")
        (was / "app/deep/more.php").write_text("new too")
        (was / "gone.txt").write_text("deleted since")
        (was / "link").symlink_to("app")
        (was / "app").chmod(0o750)
        write_database(dump, NEW_ROWS)
        member = Member(
            path=DUMP,
            kind=MemberKind.DUMP,
            size=dump.stat().st_size,
            mtime_ns=0,
            mode=0o600,
            origin=str(dump),
            database=DatabaseFacts(name="main", kind="sqlite", tables={"users": NEW_ROWS}),
        )
        archive_of(was, self.kept, members=(member,))
        self.new = {name: seen.content for name, seen in look(was).items()}

    def _as_it_is(self) -> None:
        (self.root / "app").mkdir(parents=True)
        (self.root / "app/code.php").write_text("old code, damaged")
        (self.root / "app/uploaded.pdf").write_text("stays")
        (self.root / "link").symlink_to("elsewhere")
        write_database(self.database, OLD_ROWS, journal="wal")

    def files(self) -> dict[bytes, str]:
        return {
            name: seen.content
            for name, seen in look(self.root).items()
            if not name.startswith(b"database.sqlite")
        }

    def restoring(
        self,
        *,
        before: tuple[str, ...] = (),
        after: tuple[str, ...] = (),
        selection: Selection | None = None,
    ) -> InPlace:
        return InPlace(
            copies=(view_of(self.kept),),
            application=Application(
                root=self.root,
                databases={"main": SqliteInPlace(path=self.database, lock_timeout=0.2)},
                before=before,
                after=after,
            ),
            selection=selection or Selection(),
            reading=Reading(zone=UTC),
            clock=WoundClock(),
        )

    def restore(self, listen: Callable[[Event], None] = deaf) -> RestoreReport:
        return self.restoring().run(listen)

    def is_new(self) -> bool:
        expected = {**self.new, b"app/uploaded.pdf": self.old[b"app/uploaded.pdf"]}
        return self.files() == expected and rows(self.database) == NEW_ROWS

    def is_old(self) -> bool:
        return self.files() == self.old and rows(self.database) == OLD_ROWS


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_application_is_as_it_was_and_what_the_backup_does_not_have_stays(site: Site) -> None:
    report = site.restore()
    assert report.outcome is Outcome.SUCCEEDED
    assert site.is_new()
    assert (site.root / "app").stat().st_mode & 0o777 == 0o750


def test_somebody_who_has_the_database_open_sees_the_restored_content(site: Site) -> None:
    with closing(sqlite3.connect(site.database)) as opened:
        assert opened.execute("SELECT count(*) FROM users").fetchone() == (OLD_ROWS,)
        site.restore()
        assert opened.execute("SELECT count(*) FROM users").fetchone() == (NEW_ROWS,)
        assert opened.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_only_what_is_selected_is_touched(site: Site) -> None:
    site.restoring(selection=Selection(patterns=("app/code.php",))).run(deaf)
    assert (site.root / "app/code.php").read_text() == "new code"
    changed = {name for name, content in site.files().items() if site.old.get(name) != content}
    assert changed == {b"app/code.php"}
    assert rows(site.database) == OLD_ROWS


class Failed(Exception):  # noqa: N818
    """Thrown in by a test."""


def steps(event: Event) -> bool:
    return isinstance(event, Progressed) and event.phase.startswith("putting in place")


def count_steps(folder: Path) -> int:
    seen = []
    Site(folder).restore(lambda event: seen.append(event) if steps(event) else None)
    return len(seen)


def test_a_failure_at_any_step_puts_everything_back(tmp_path: Path) -> None:
    (tmp_path / "count").mkdir()
    for number in range(count_steps(tmp_path / "count")):
        (tmp_path / str(number)).mkdir()
        site = Site(tmp_path / str(number))
        left = number

        def fail(event: Event) -> None:
            nonlocal left
            if steps(event):
                left -= 1
                if left < 0:
                    raise Failed

        with pytest.raises(Failed):
            site.restore(fail)
        assert site.is_old()
        site.restore()
        assert site.is_new()


def die_at(site: Site, number: int) -> bool:
    """Restore in a process that is killed at the given step; tell whether it was."""
    child = os.fork()
    if child == 0:
        left = number

        def die(event: Event) -> None:
            nonlocal left
            if isinstance(event, Progressed):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            site.restore(die)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_killed_at_any_step_and_run_again_it_is_all_new(tmp_path: Path) -> None:
    killed, number = True, 0
    while killed:
        (tmp_path / str(number)).mkdir()
        site = Site(tmp_path / str(number))
        killed = die_at(site, number)
        site.restore()
        assert site.is_new()
        number += 1
    assert number > 10


def test_killed_twice_and_then_failing_it_is_all_old(tmp_path: Path) -> None:
    killed, number = True, 0
    while killed:
        (tmp_path / str(number)).mkdir()
        site = Site(tmp_path / str(number))
        killed = die_at(site, number)
        die_at(site, 3)  # while it puts back what the first one did
        with pytest.raises(BackupdError, match="RESTORE__BEFORE"):
            site.restoring(before=("false",)).run(deaf)
        assert site.is_new() if not killed else site.is_old()
        number += 1


CHANGES = {"os.rename", "os.remove", "os.rmdir"}


def dying_at(act: Callable[[], object], number: int) -> bool:
    """Do it in a process that is killed before the given change of a name; tell whether it was."""
    child = os.fork()
    if child == 0:
        left = number

        def die(event: str, _: tuple[object, ...]) -> None:
            nonlocal left
            if event in CHANGES:
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(die)
        with suppress(BaseException):
            act()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def refused_by_a_hook(site: Site) -> None:
    """Restore up to where live files would be touched, which puts back what others left."""
    with pytest.raises(BackupdError, match="RESTORE__BEFORE"):
        site.restoring(before=("false",)).run(deaf)


def test_killed_while_it_takes_away_what_it_put_back_nothing_is_lost(tmp_path: Path) -> None:
    killed, number = True, 0
    while killed:
        (tmp_path / str(number)).mkdir()
        site = Site(tmp_path / str(number))
        assert die_at(site, 11)  # most are in their places
        killed = dying_at(lambda site=site: refused_by_a_hook(site), number)  # type: ignore[misc]
        refused_by_a_hook(site)
        assert site.is_old()
        number += 1
    assert number > 10


def test_interrupted_when_all_has_just_ended_and_killed_while_it_puts_back(tmp_path: Path) -> None:
    killed, number = True, 0
    while killed:
        (tmp_path / str(number)).mkdir()
        site = Site(tmp_path / str(number))

        def interrupted(site: Site = site) -> None:
            journals = 0

            def interrupt(event: str, arguments: tuple[object, ...]) -> None:
                nonlocal journals
                journals += event == "os.rename" and str(arguments[1]).endswith("/journal.json")
                if event == "open" and journals == 2:
                    journals += 1
                    raise Failed

            sys.addaudithook(interrupt)
            site.restore()

        killed = dying_at(interrupted, number)
        refused_by_a_hook(site)
        assert site.is_old() or site.is_new()
        number += 1
    assert number > 10


def command(text: str) -> str:
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(text)}"


def test_hooks_run_around_the_swap_in_the_root(site: Site) -> None:
    note = (
        "import pathlib; pathlib.Path('../{}').write_text(pathlib.Path('app/code.php').read_text())"
    )
    before, after = command(note.format("before")), command(note.format("after"))
    site.restoring(before=(before,), after=(after,)).run(deaf)
    assert (site.root / "../before").read_text() == "old code, damaged"
    assert (site.root / "../after").read_text() == "new code"


def test_a_failing_hook_before_leaves_everything_as_it_was(site: Site) -> None:
    failing = command("import sys; print('no php here'); sys.exit(3)")
    with pytest.raises(BackupdError, match="status 3: no php here"):
        site.restoring(before=(failing,)).run(deaf)
    assert site.is_old()


def test_a_failing_hook_after_says_that_all_is_in_place_and_keeps_what_was_replaced(
    site: Site,
) -> None:
    with pytest.raises(BackupdError, match="Everything was restored"):
        site.restoring(after=("false",)).run(deaf)
    (kept,) = site.root.glob(".backupd-restore-*")
    assert (kept / "old/app/code.php").read_text() == "old code, damaged"
    site.restore()
    assert site.is_new()


def test_a_locked_database_puts_everything_back(site: Site) -> None:
    with closing(sqlite3.connect(site.database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(BackupdError, match=r"locked|in use"):
            site.restore()
        holder.execute("ROLLBACK")
    assert site.is_old()


@pytest.mark.parametrize("content", [None, b"", b"SQLite format 3\0" + b"\1" * 9000])
def test_a_database_that_is_lost_or_damaged_is_replaced_too(
    site: Site, content: bytes | None
) -> None:
    site.database.unlink()
    for beside in site.root.glob("database.sqlite-*"):
        beside.unlink()
    if content is not None:
        site.database.write_bytes(content)
    site.restore()
    assert site.is_new()


def test_a_link_where_a_directory_must_be_is_refused_before_anything_moves(site: Site) -> None:
    (site.root / "empty").symlink_to("/tmp")  # noqa: S108
    old = site.files()
    with pytest.raises(RefusedError):
        site.restore()
    assert site.files() == old
    assert rows(site.database) == OLD_ROWS
