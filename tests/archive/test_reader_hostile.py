"""Archives that somebody made to do harm: never a write outside, never silent wrong content."""

import hashlib
import io
import json
import os
import random
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backupd.archive.manifest import MANIFEST_PATH
from backupd.archive.view import ObjectView
from backupd.errors import BackupdError, DamagedError, RefusedError
from backupd.model import ArchiveHeader, Manifest, ManifestEntry, MemberKind, Scope
from backupd.operations.restore import Restore
from backupd.operations.retrieve import Reading
from backupd.operations.select import Selection
from fakes.archives import KEY, archive_of, look
from fakes.destinations import MemoryDestination
from fakes.manifests import manifest_lines

CANARY = b"nobody may touch this"


def entry(path: str, kind: MemberKind = MemberKind.FILE, content: bytes = b"x") -> ManifestEntry:
    return ManifestEntry(
        path=path,
        kind=kind,
        size=0 if kind is MemberKind.DIRECTORY else len(content),
        mtime_ns=0,
        mode=0o644,
        uid=0,
        gid=0,
        sha256="" if kind is MemberKind.DIRECTORY else hashlib.sha256(content).hexdigest(),
        link_target=content.decode() if kind is MemberKind.SYMLINK else "",
    )


def manifest_of(*entries: ManifestEntry) -> bytes:
    header = ArchiveHeader(
        archive=KEY,
        set_name="shop",
        created_at=datetime(2025, 1, 1, tzinfo=UTC),
        timezone="UTC",
        scope=Scope.FULL,
        version="1",
    )
    return b"".join(manifest_lines(Manifest(header=header, encrypted=False, entries=entries)))


def zipped(*members: tuple[str, bytes, int], manifest: bytes | None = None) -> bytes:
    """Write a ZIP of (name, content, Unix kind); names are taken as they are."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for name, content, kind in members:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.create_system = 3
            info.external_attr = (kind | 0o777) << 16
            archive.writestr(info, content)
        if manifest is not None:
            archive.writestr(MANIFEST_PATH, manifest)
    return output.getvalue()


def attempt(content: bytes, folder: Path, password: str | None = None) -> BackupdError | None:
    """Restore into `folder/out`; only errors of ours may come, and nothing beside it change."""
    folder.mkdir(exist_ok=True)
    (folder / "canary").write_bytes(CANARY)
    memory = MemoryDestination()
    memory.objects[KEY] = content
    view = ObjectView(destination=memory, key=KEY, size=len(content))
    error = None
    try:
        Restore(
            copies=(view,),
            target=folder / "out",
            selection=Selection(),
            reading=Reading(zone=UTC, password=password),
        ).run(lambda _: None)
    except BackupdError as raised:
        error = raised
    assert {path.name for path in folder.iterdir()} <= {"canary", "out"}
    assert (folder / "canary").read_bytes() == CANARY
    return error


SLIPS = [
    "../canary",
    "a/../../canary",
    "..",
    "a/..",
    "./canary",
    "a/./b",
    "a//b",
    "",
    "../../../../../../../../tmp/canary",
    "a/b/../../../canary",
    "x\0y",
]


@pytest.mark.parametrize("name", SLIPS)
def test_a_name_that_leads_out_is_refused_with_a_manifest(tmp_path: Path, name: str) -> None:
    content = zipped((name, b"x", stat.S_IFREG), manifest=manifest_of(entry(name)))
    assert isinstance(attempt(content, tmp_path), DamagedError)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", SLIPS)
def test_a_name_that_leads_out_is_refused_without_a_manifest(tmp_path: Path, name: str) -> None:
    assert isinstance(attempt(zipped((name, b"x", stat.S_IFREG)), tmp_path), DamagedError)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["/canary", "//canary", "/../canary", "/etc/../../canary"])
def test_an_absolute_name_is_refused_with_a_manifest(tmp_path: Path, name: str) -> None:
    content = zipped((name, b"x", stat.S_IFREG), manifest=manifest_of(entry(name)))
    assert isinstance(attempt(content, tmp_path), DamagedError)


@pytest.mark.parametrize("name", ["..\\..\\canary", "C:\\canary", "\\\\host\\share", "~", "%2e%2e"])
def test_spellings_of_other_systems_are_ordinary_names_here(tmp_path: Path, name: str) -> None:
    content = zipped((name, b"x", stat.S_IFREG), manifest=manifest_of(entry(name)))
    assert attempt(content, tmp_path) is None
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def test_a_leading_slash_of_another_program_is_cut_off(tmp_path: Path) -> None:
    assert attempt(zipped(("/canary", b"x", stat.S_IFREG)), tmp_path) is None
    assert (tmp_path / "out/canary").read_bytes() == b"x"


@pytest.mark.parametrize("with_manifest", [True, False])
@pytest.mark.parametrize("target", ["..", "/", ".", "../canary"])
def test_a_file_through_a_link_is_refused(
    tmp_path: Path, target: str, *, with_manifest: bool
) -> None:
    link = target.encode()
    manifest = manifest_of(entry("a", MemberKind.SYMLINK, link), entry("a/canary"))
    content = zipped(
        ("a", link, stat.S_IFLNK),
        ("a/canary", b"x", stat.S_IFREG),
        manifest=manifest if with_manifest else None,
    )
    assert isinstance(attempt(content, tmp_path), DamagedError)
    assert not (tmp_path / "out").exists()


def test_a_link_that_an_earlier_archive_planted_is_not_followed(tmp_path: Path) -> None:
    planted = zipped(
        ("a", b"..", stat.S_IFLNK), manifest=manifest_of(entry("a", MemberKind.SYMLINK, b".."))
    )
    assert attempt(planted, tmp_path) is None
    through = zipped(("a/canary", b"x", stat.S_IFREG), manifest=manifest_of(entry("a/canary")))
    assert isinstance(attempt(through, tmp_path), RefusedError)
    over = zipped(("a", b"x", stat.S_IFREG), manifest=manifest_of(entry("a")))
    assert isinstance(attempt(over, tmp_path), RefusedError)


def test_a_link_whose_content_is_not_the_one_in_the_manifest_is_damaged(tmp_path: Path) -> None:
    content = zipped(
        ("a", b"/etc", stat.S_IFLNK), manifest=manifest_of(entry("a", MemberKind.SYMLINK, b"/abc"))
    )
    assert isinstance(attempt(content, tmp_path), DamagedError)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("first", "second"), [("a", "a"), ("a", "a/"), ("a/", "a/"), ("b/c", "b/c"), ("d", "d/e")]
)
def test_names_that_stand_twice_are_refused(tmp_path: Path, first: str, second: str) -> None:
    content = zipped((first, b"", stat.S_IFREG), (second, b"", stat.S_IFREG))
    assert isinstance(attempt(content, tmp_path), DamagedError)


def test_a_manifest_that_names_a_member_twice_is_refused(tmp_path: Path) -> None:
    content = zipped(("a", b"x", stat.S_IFREG), manifest=manifest_of(entry("a"), entry("a")))
    assert isinstance(attempt(content, tmp_path), DamagedError)


@pytest.mark.parametrize("kind", ["unnamed", "missing", "another size", "another content"])
def test_an_archive_that_is_not_as_its_manifest_says_is_damaged(tmp_path: Path, kind: str) -> None:
    entries = {
        "unnamed": (entry("a"),),
        "missing": (entry("a"), entry("b"), entry("c")),
        "another size": (entry("a"), entry("b", content=b"xx")),
        "another content": (entry("a"), entry("b", content=b"y")),
    }[kind]
    content = zipped(
        ("a", b"x", stat.S_IFREG), ("b", b"x", stat.S_IFREG), manifest=manifest_of(*entries)
    )
    assert isinstance(attempt(content, tmp_path), DamagedError)


def patched(content: bytes, field: str, value: int, *, of: bytes = b"bomb") -> bytes:
    """Change a field of a member's record in the directory."""
    place, form = {"crc": (16, "<L"), "compressed": (20, "<L"), "size": (24, "<L")}.get(
        field, (42, "<L")
    )
    name = content.rindex(of, 0, content.rindex(b"PK\x05\x06"))
    changed = bytearray(content)
    struct.pack_into(form, changed, name - 46 + place, value)
    return bytes(changed)


def bomb(size: int = 20_000_000) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("before", b"x" * 1000)
        archive.writestr("bomb", bytes(size))
        archive.writestr("after", os.urandom(1000))
    return output.getvalue()


def test_a_bomb_that_lies_about_its_size_writes_no_more_than_it_says(tmp_path: Path) -> None:
    error = attempt(patched(bomb(), "size", 5), tmp_path)
    assert isinstance(error, DamagedError)
    written = [path for path in (tmp_path / "out").rglob("*") if path.name == "bomb"]
    assert written == []


@pytest.mark.parametrize("size", [0xFFFFFFF0, 21_000_000, 19_999_999])
def test_a_size_that_cannot_be_is_refused(tmp_path: Path, size: int) -> None:
    assert isinstance(attempt(patched(bomb(), "size", size), tmp_path), DamagedError)


@pytest.mark.parametrize("compressed", [0, 1, 100, 0xFFFF, 0xFFFFFF, 0xFFFFFFF0])
def test_a_compressed_size_that_lies_is_noticed(tmp_path: Path, compressed: int) -> None:
    error = attempt(patched(bomb(), "compressed", compressed), tmp_path)
    assert isinstance(error, DamagedError)


def test_members_that_share_bytes_are_refused(tmp_path: Path) -> None:
    """The bomb without recursion: many names for one piece of compressed data."""
    content = bomb()
    error = attempt(patched(content, "offset", 0), tmp_path)
    assert isinstance(error, DamagedError)
    assert not (tmp_path / "out").exists()


def test_a_directory_that_pretends_to_be_huge_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped(("a", b"x", stat.S_IFREG)))
    end = content.rindex(b"PK\x05\x06")
    for place, value in ((8, 0xFFFF), (10, 0xFFFF)):
        struct.pack_into("<H", content, end + place, value)
    struct.pack_into("<L", content, end + 12, 0x7FFFFFFF)
    assert isinstance(attempt(bytes(content), tmp_path), BackupdError)


@pytest.mark.parametrize("size", [10**15, 2**63 - 1])
def test_more_than_fits_is_refused_before_anything_is_written(tmp_path: Path, size: int) -> None:
    huge = ManifestEntry(
        path="a", kind=MemberKind.FILE, size=size, mtime_ns=0, mode=0o644, uid=0, gid=0
    )
    content = zipped(("a", b"x", stat.S_IFREG), manifest=manifest_of(huge))
    assert isinstance(attempt(content, tmp_path), BackupdError)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"format": 2}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": 1, "members": [{"path": 5}]}',
        b'{"format": 1, "members": 7}',
    ],
)
def test_a_manifest_that_makes_no_sense_is_an_error(tmp_path: Path, manifest: bytes) -> None:
    content = zipped(("a", b"x", stat.S_IFREG), manifest=manifest)
    assert isinstance(attempt(content, tmp_path), BackupdError)


ODD_VALUES = [
    {"size": -1},
    {"size": "1"},
    {"size": 1.5},
    {"mtime_ns": 2**80},
    {"mtime_ns": "x"},
    {"mode": -1},
    {"mode": 2**40},
    {"uid": -5},
    {"uid": 2**40},
    {"uid": "root"},
    {"path": ["a"]},
    {"path": None},
    {"link_target": 3},
    {"sha256": 3},
    {"sha256": "zz"},
    {"user": 7},
    {"kind": "socket"},
]


@pytest.mark.parametrize("odd", ODD_VALUES)
def test_an_entry_with_an_odd_value_is_an_error_of_ours_or_harmless(
    tmp_path: Path, odd: dict[str, object]
) -> None:
    document = json.loads(manifest_of(entry("a")))
    document["members"][0].update(odd)
    content = zipped(("a", b"x", stat.S_IFREG), manifest=json.dumps(document).encode())
    error = attempt(content, tmp_path)
    if error is None:
        assert (tmp_path / "out/a").read_bytes() == b"x"


def test_a_directory_with_a_digest_is_none_of_ours(tmp_path: Path) -> None:
    """A long one would not fit into what a worker is told."""
    document = json.loads(manifest_of(entry("a", MemberKind.DIRECTORY)))
    document["members"][0]["sha256"] = "0" * 3_000_000
    content = zipped(("a/", b"", stat.S_IFDIR), manifest=json.dumps(document).encode())
    assert isinstance(attempt(content, tmp_path), DamagedError)


@contextmanager
def in_memory() -> Iterator[Path]:
    """Give a folder in memory where there is one: thousands of files are made in it."""
    memory = Path("/dev/shm")  # noqa: S108
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def quick() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("small") / "tree"
    (tree / "d").mkdir(parents=True)
    (tree / "d/text").write_text("some text " * 300)
    (tree / "d/noise").write_bytes(random.Random(1).randbytes(2000))  # noqa: S311
    (tree / "empty").mkdir()
    (tree / "link").symlink_to("d/text")
    return tree


@pytest.mark.parametrize("password", [None, "secret"])
def test_an_archive_cut_anywhere_restores_nothing(
    quick: Path, small: Path, password: str | None
) -> None:
    whole = archive_of(small, quick / "kept", password=password).path.read_bytes()
    for percent in range(100):
        cut = whole[: len(whole) * percent // 100]
        assert isinstance(attempt(cut, quick / "try", password), DamagedError)
        assert not (quick / "try/out").exists()


@pytest.mark.parametrize("password", [None, "secret"])
def test_a_flipped_bit_is_an_error_or_changes_nothing(
    quick: Path, small: Path, password: str | None
) -> None:
    whole = archive_of(small, quick / "kept", password=password).path.read_bytes()
    chance = random.Random(2)  # noqa: S311
    expected = look(small)
    for number in range(1000):
        flipped = bytearray(whole)
        flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        folder = quick / f"try{number}"
        error = attempt(bytes(flipped), folder, password)
        if (folder / "out").exists():
            restored = look(folder / "out")
            changed = {
                name for name, seen in restored.items() if seen.content != expected[name].content
            }
            assert not changed
            assert error or restored == expected


@pytest.fixture(scope="module")
def written(small: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return archive_of(small, tmp_path_factory.mktemp("written")).path.read_bytes()


@settings(max_examples=300, deadline=None)
@given(
    edits=st.lists(
        st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6
    )
)
def test_whatever_is_edited_only_our_errors_come(
    written: bytes, edits: list[tuple[float, bytes]]
) -> None:
    whole = bytearray(written)
    for place, edit in edits:
        start = int(place * len(whole))
        whole[start : start + len(edit)] = edit
    with in_memory() as folder:
        attempt(bytes(whole), folder)
