"""An archive with members carried over is the archive that would have been built without."""

import hashlib
import json
import os
import sqlite3
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
import pyzipper
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backupd.archive.carry import Carrier
from backupd.archive.encoding import owner
from backupd.archive.lines import line_start, member_line, owner_part
from backupd.archive.making import Making
from backupd.archive.previous import Previous
from backupd.archive.writer import build_archive
from backupd.model import Archive, ArchiveHeader, Compression, Member, Scope
from backupd.sources.files import FileTree
from backupd.sources.sqlite import SqliteDatabase

PASSWORD = "korrekt pferd"
LONG_AGO = 1_600_000_000 * 10**9
DAY = timedelta(days=1)
# A run counts as later than all that was written before it, by more than is racy.
FIRST = datetime.now(UTC) + DAY


def build(
    root: Path,
    name: str,
    when: datetime,
    previous: Archive | None = None,
    *,
    password: str | None = None,
    timezone: str = "Europe/Paris",
    databases: Sequence[Path] = (),
    **making: object,
) -> Archive:
    header = ArchiveHeader(
        archive=name,
        set_name="set",
        created_at=when,
        timezone=timezone,
        scope=Scope.FULL,
        version="0",
    )
    members = [each for path in databases for each in dump(path, when).members()]
    members += members_of(root)
    made = Making(workers=2, previous=previous.path if previous else None, **making)  # type: ignore[arg-type]
    return build_archive(
        members,
        root.parent / name,
        header,
        password=password,
        on_progress=lambda _: None,
        making=made,
    )


def members_of(root: Path) -> list[Member]:
    return [each for each in FileTree(root=root).members() if isinstance(each, Member)]


def dump(path: Path, when: datetime) -> SqliteDatabase:
    scratch = path.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    return SqliteDatabase(name=path.stem, path=path, scratch=scratch, when=when, zone=UTC)


def contents(archive: Archive, password: str | None = None) -> dict[str, tuple[int, bytes]]:
    """Read every member but the manifest, with its attributes; check sums on the way."""
    with pyzipper.AESZipFile(archive.path) as opened:
        opened.setpassword((password or "").encode() or None)
        if opened.namelist()[0] == "contents.zip":
            inner = archive.path.with_suffix(".inner")
            inner.write_bytes(opened.read("contents.zip"))
            with zipfile.ZipFile(inner) as contained:
                return _read(contained)
        return _read(opened)


def _read(opened: zipfile.ZipFile) -> dict[str, tuple[int, bytes]]:
    manifest = json.loads(opened.read(".backupd/manifest.json"))
    infos = [info for info in opened.infolist() if not info.filename.endswith("RESTORE.txt")]
    found = {info.filename: (info.external_attr, opened.read(info)) for info in infos}
    del found[".backupd/manifest.json"]
    members = manifest["members"]
    assert len(members) == len(found)
    for info, member in zip(infos[:-1], members, strict=True):
        data = found[info.filename][1]
        if member["kind"] != "directory":
            digest = hashlib.sha256(data).hexdigest()
            assert (member["size"], member["sha256"]) == (len(data), digest)
    return found


def origins(archive: Archive) -> dict[str, str]:
    with zipfile.ZipFile(archive.path) as opened:
        manifest = json.loads(opened.read(".backupd/manifest.json"))
    return {member["path"]: member.get("carried_from", "") for member in manifest["members"]}


@pytest.mark.parametrize("layout", ["plain", "members", "hidden"])
def test_an_unchanged_tree_is_carried_over_as_a_whole(tree: Path, layout: str) -> None:
    password = None if layout == "plain" else PASSWORD
    hidden = layout == "hidden"
    first = build(tree, "1.zip", FIRST, password=password, hide_names=hidden)
    second = build(tree, "2.zip", FIRST + DAY, first, password=password, hide_names=hidden)
    third = build(tree, "3.zip", FIRST + 2 * DAY, second, password=password, hide_names=hidden)
    assert (first.carried, second.carried, third.carried) == (0, first.members, first.members)
    assert (first.full_because, second.full_because) == (
        "there is no earlier archive to take from",
        "",
    )
    assert third.content_bytes == first.content_bytes
    one, other = first.path.read_bytes(), third.path.read_bytes()
    if layout != "hidden":
        assert one[: 9 * first.size // 10] == other[: 9 * first.size // 10]
    assert contents(third, password) == contents(first, password)


def test_the_manifest_says_since_when_a_member_is_carried(tree: Path) -> None:
    first = build(tree, "1.zip", FIRST)
    (tree / "src/0/file0.py").write_text("changed")
    _age(tree / "src/0/file0.py")
    second = build(tree, "2.zip", FIRST + DAY, first)
    third = build(tree, "3.zip", FIRST + 2 * DAY, second)
    origin = origins(third)
    assert (origin["src/0/file0.py"], origin["src/1/file1.py"]) == ("2.zip", "1.zip")
    assert second.carried == second.members - 1


def _age(path: Path) -> None:
    """Give a file a time of long ago; its ctime still says that it changed."""
    os.utime(path, ns=(0, LONG_AGO))


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("another"),
        lambda path: path.chmod(0o600),
        lambda path: os.utime(path, ns=(0, LONG_AGO + 1)),
        lambda path: (path.rename(f"{path}x"), path.write_text("x")),
    ],
)
def test_whatever_changed_is_read_again(tree: Path, change: Callable[[Path], object]) -> None:
    first = build(tree, "1.zip", FIRST)
    change(tree / "exactly-a-chunk")
    second = build(tree, "2.zip", FIRST + DAY, first)
    full = build(tree, "3.zip", FIRST + DAY)
    assert contents(second) == contents(full)
    assert not origins(second)["exactly-a-chunk"]
    assert second.carried >= second.members - 2


def test_what_was_written_just_before_the_earlier_run_is_read_again(tree: Path) -> None:
    first = build(tree, "1.zip", datetime.now(UTC))
    second = build(tree, "2.zip", FIRST + DAY, first)
    assert second.carried == 0


@pytest.mark.parametrize(
    ("then", "now", "reason"),
    [
        ({}, {"compression": Compression.SMALL}, "level, encryption or time zone changed"),
        ({}, {"timezone": "UTC"}, "level, encryption or time zone changed"),
        ({}, {"password": PASSWORD}, "level, encryption or time zone changed"),
        ({"password": PASSWORD}, {}, "the password changed"),
        ({"password": PASSWORD}, {"password": "other"}, "the password changed"),
        (
            {"password": PASSWORD},
            {"password": PASSWORD, "hide_names": True},
            "level, encryption or time zone changed",
        ),
        ({"password": PASSWORD, "hide_names": True}, {}, "the password changed"),
        ({}, {"full_every": timedelta(hours=23)}, "everything was last read on"),
    ],
)
def test_another_password_level_or_layout_has_everything_read(
    tree: Path, then: dict[str, object], now: dict[str, object], reason: str
) -> None:
    first = build(tree, "1.zip", FIRST, **then)  # type: ignore[arg-type]
    second = build(tree, "2.zip", FIRST + DAY, first, **now)  # type: ignore[arg-type]
    assert second.carried == 0
    assert reason in second.full_because


def test_everything_is_read_again_after_so_many_days(tree: Path) -> None:
    archive = build(tree, "0.zip", FIRST)
    carried = []
    for day in range(1, 6):
        when = FIRST + day * DAY
        archive = build(tree, f"{day}.zip", when, archive, full_every=timedelta(days=2))
        carried.append(bool(archive.carried))
    assert carried == [True, True, False, True, True]


def test_an_archive_of_a_later_time_is_not_used(tree: Path) -> None:
    """The clock was ahead once: its times tell nothing of changes, nor of the last full reading."""
    ahead = build(tree, "ahead.zip", FIRST + 3650 * DAY)
    second = build(tree, "2.zip", FIRST, ahead)
    assert (second.carried, second.full_because) == (
        0,
        "the earlier archive was made when the clock was ahead",
    )


def _flipped(path: Path, places: Sequence[int] = ()) -> Iterator[int]:
    """Flip one bit at a time, at places all over a file."""
    whole = path.read_bytes()
    for place in places or (*range(0, len(whole), len(whole) // 12), len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        yield place
    path.write_bytes(whole)


@pytest.mark.parametrize("layout", ["plain", "members", "hidden"])
def test_a_flipped_bit_in_the_earlier_archive_never_reaches_the_next(
    tree: Path, layout: str
) -> None:
    password = None if layout == "plain" else PASSWORD
    hidden = layout == "hidden"
    for path in tree.glob("src/[3-8]/*"):
        path.unlink()
    first = build(tree, "1.zip", FIRST, password=password, hide_names=hidden)
    expected = contents(first, password)
    for place in _flipped(first.path):
        target = f"next-{place}.zip"
        second = build(tree, target, FIRST + DAY, first, password=password, hide_names=hidden)
        assert contents(second, password) == expected
        second.path.unlink()


def test_a_flipped_bit_in_the_earlier_directory_never_reaches_the_next(tree: Path) -> None:
    """A name, a checksum or a mode there is no part of what a member's own bytes are checked by."""
    for path in [*tree.glob("src/[1-9]/*"), *tree.glob("docs/*")]:
        path.unlink()
    first = build(tree, "1.zip", FIRST)
    expected = contents(first)
    with zipfile.ZipFile(first.path) as opened:
        start = opened.start_dir
    size = first.path.stat().st_size
    places = range(start, size, (size - start) // 24)
    for place in _flipped(first.path, places):
        second = build(tree, f"next-{place}.zip", FIRST + DAY, first)
        assert contents(second) == expected
        second.path.unlink()


def test_a_damaged_link_to_a_large_file_is_read_again(tree: Path) -> None:
    (tree / "large").write_bytes(bytes(3_000_000))
    (tree / "link-to-large").symlink_to("large")
    first = build(tree, "1.zip", FIRST)
    with zipfile.ZipFile(first.path) as opened:
        info = opened.getinfo("link-to-large")
    whole = bytearray(first.path.read_bytes())
    place = whole.index(b"link-to-large", info.header_offset)
    place = whole.index(b"large", place + len("link-to-large"))
    whole[place] ^= 1
    first.path.write_bytes(whole)
    second = build(tree, "2.zip", FIRST + DAY, first)
    assert second.omissions == ()
    assert contents(second)["link-to-large"][1] == b"large"


def test_an_earlier_archive_that_is_cut_short_or_none_is_not_used(tree: Path) -> None:
    first = build(tree, "1.zip", FIRST)
    whole = first.path.read_bytes()
    for number, content in enumerate((b"", b"PK", whole[: len(whole) // 2], whole[:-1])):
        first.path.write_bytes(content)
        second = build(tree, f"next-{number}.zip", FIRST + DAY, first)
        assert second.carried == 0
        assert "cannot be used" in second.full_because


def test_a_foreign_zip_is_not_used(tree: Path) -> None:
    foreign = tree.parent / "foreign.zip"
    with zipfile.ZipFile(foreign, "w") as made:
        made.writestr("a", "b")
    header = build(tree, "1.zip", FIRST)
    foreign.replace(header.path)
    assert build(tree, "2.zip", FIRST + DAY, header).carried == 0


NAMES = st.sampled_from(["a", "b", "c/a", "c/b", "c/d/e", "ä", "z.jpg", "big"])
CONTENT = st.sampled_from([b"", b"x", b"text " * 300, os.urandom(4000), b"ab" * 800_000])
EDIT = st.tuples(st.sampled_from(["write", "touch", "remove", "rename", "mode"]), NAMES, CONTENT)


def _edit(root: Path, edits: list[tuple[str, str, bytes]]) -> None:
    for action, name, content in edits:
        path = root / name
        if action == "write" or not path.is_file():
            if not path.is_dir():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        elif action == "touch":
            _age(path)
        elif action == "remove":
            path.unlink()
        elif action == "rename":
            path.rename(root / "moved")
        else:
            path.chmod(0o600)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.lists(EDIT, max_size=6), min_size=2, max_size=4),
    st.sampled_from([(None, False), (PASSWORD, False), (PASSWORD, True)]),
)
def test_with_members_carried_over_it_always_equals_a_full_one(
    tmp_path_factory: pytest.TempPathFactory,
    nights: list[list[tuple[str, str, bytes]]],
    layout: tuple[str | None, bool],
) -> None:
    password, hidden = layout
    root = tmp_path_factory.mktemp("night") / "root"
    root.mkdir()
    (root / "always").write_text("there")
    archive: Archive | None = None
    for number, edits in enumerate(nights):
        _edit(root, edits)
        when = FIRST + number * DAY
        options = {"password": password, "hide_names": hidden}
        archive = build(root, f"{number}.zip", when, archive, **options)  # type: ignore[arg-type]
        full = build(root, f"{number}-full.zip", when, **options)  # type: ignore[arg-type]
        assert contents(archive, password) == contents(full, password)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "main.sqlite"
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("CREATE TABLE post (id INTEGER PRIMARY KEY, text TEXT)")
        made.executemany("INSERT INTO post (text) VALUES (?)", [("text" * 90,)] * 9000)
    return path


def dumps(archive: Archive) -> dict[str, str]:
    return {path: since for path, since in origins(archive).items() if path.startswith("db-dumps")}


def rows(archive: Archive, path: str) -> int:
    with zipfile.ZipFile(archive.path) as opened:
        copy = Path(opened.extract(path, archive.path.parent / "extracted"))
    with closing(sqlite3.connect(copy)) as restored:
        row: tuple[int] = restored.execute("SELECT count(*) FROM post").fetchone()
        return row[0]


def test_a_dump_is_carried_over_until_something_is_written(tree: Path, database: Path) -> None:
    first = build(tree, "1.zip", FIRST, databases=[database])
    second = build(tree, "2.zip", FIRST + DAY, first, databases=[database])
    third = build(tree, "3.zip", FIRST + 2 * DAY, second, databases=[database])
    [path] = dumps(first)
    assert dumps(second) == dumps(third) == {path: "1.zip"}
    assert third.carried == third.members == first.members
    assert third.databases == first.databases
    assert third.content_bytes == first.content_bytes

    with closing(sqlite3.connect(database)) as application, application:
        application.execute("DELETE FROM post WHERE id = 1")
    fourth = build(tree, "4.zip", FIRST + 3 * DAY, third, databases=[database])
    [newer] = dumps(fourth)
    assert dumps(fourth) == {newer: ""}
    assert newer > path
    assert [rows(third, path), rows(fourth, newer)] == [9000, 8999]
    assert fourth.databases[0].tables == {"post": 8999}


def test_what_stands_in_the_wal_alone_counts_as_written(tree: Path, database: Path) -> None:
    first = build(tree, "1.zip", FIRST, databases=[database])
    with closing(sqlite3.connect(database, isolation_level=None)) as application:
        application.execute("PRAGMA wal_autocheckpoint = 0")
        before = database.stat().st_mtime_ns
        application.execute("INSERT INTO post (text) VALUES ('new')")
        assert database.stat().st_mtime_ns == before
        second = build(tree, "2.zip", FIRST + DAY, first, databases=[database])
        third = build(tree, "3.zip", FIRST + 2 * DAY, second, databases=[database])
    [path] = dumps(second)
    assert dumps(second) == {path: ""}
    assert rows(second, path) == 9001
    assert dumps(third) == {path: "2.zip"}


def test_the_wal_stands_beside_the_database_and_not_beside_a_link_to_it(
    tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    link, there = tmp_path / "main.sqlite", tmp_path / "shared" / "there.sqlite"
    link.symlink_to(there)
    with closing(sqlite3.connect(link, isolation_level=None)) as application:
        application.execute("PRAGMA journal_mode = WAL")
        application.execute("CREATE TABLE post (text TEXT)")
        application.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        first = build(tree, "1.zip", FIRST, databases=[link])
        application.execute("INSERT INTO post VALUES ('new')")
        second = build(tree, "2.zip", FIRST + DAY, first, databases=[link])
    [path] = dumps(second)
    assert rows(second, path) == 1


def test_a_database_that_was_just_written_is_dumped_again(tree: Path, database: Path) -> None:
    now = datetime.now(UTC)
    first = build(tree, "1.zip", now, databases=[database])
    second = build(tree, "2.zip", FIRST, first, databases=[database])
    assert set(dumps(second).values()) == {""}


def test_a_damaged_dump_is_made_anew(tree: Path, database: Path) -> None:
    first = build(tree, "1.zip", FIRST, databases=[database])
    [path] = dumps(first)
    with zipfile.ZipFile(first.path) as opened:
        middle = opened.getinfo(path).header_offset + opened.getinfo(path).compress_size // 2
    with first.path.open("r+b") as file:
        file.seek(middle)
        flipped = bytes([file.read(1)[0] ^ 1])
        file.seek(middle)
        file.write(flipped)
    second = build(tree, "2.zip", FIRST + DAY, first, databases=[database])
    [newer] = dumps(second)
    assert newer > path
    assert rows(second, newer) == 9000
    assert second.databases[0].path == newer


@dataclass
class Lines:
    """A previous archive of which only the manifest is looked at."""

    members: Sequence[bytes]
    head: Mapping[str, object] = field(
        default_factory=lambda: {
            "archive": "1.zip",
            "created_at": FIRST.isoformat(),
            "full_at": FIRST.isoformat(),
            "databases": [],
        }
    )

    @property
    def count(self) -> int:
        return len(self.members)

    def line(self, number: int) -> bytes:
        return self.members[number]

    def lines(self) -> Iterator[bytes]:
        return iter(self.members)


def noted(member: Member, owner: str, stored_crc32: int) -> Lines:
    """Write what an earlier run noted of a member."""
    size, known = member.size or 0, member[2:10]
    start = line_start(member.path, str(member.kind), size, known, member.link_target)
    line = member_line(
        start, owner, sha256="0" * 64, changed_while_read=False, stored_crc32=stored_crc32
    )
    return Lines([line])


@pytest.mark.parametrize("stored_crc32", [0, 1, 2**32 - 1])
def test_any_checksum_is_read_as_it_was_noted(tree: Path, stored_crc32: int) -> None:
    """One of 0 is left out of the line."""
    [member] = [each for each in members_of(tree) if each.path == "nothing"]
    previous = noted(member, owner(member.uid, member.gid), stored_crc32)
    carried = Carrier(cast("Previous", previous)).find(member)
    assert carried is not None
    assert carried.stored_crc32 == stored_crc32


@pytest.mark.parametrize("name", ["", "somebody-else"])
def test_a_member_whose_owner_has_another_name_by_now_is_read(tree: Path, name: str) -> None:
    [member] = [each for each in members_of(tree) if each.path == "nothing"]
    previous = noted(member, owner_part(name, name), 1)
    assert Carrier(cast("Previous", previous)).find(member) is None
