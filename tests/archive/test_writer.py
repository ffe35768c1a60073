import hashlib
import json
import os
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pyzipper

from backupd.archive.making import Making
from backupd.archive.manifest import MANIFEST_PATH, parse_manifest
from backupd.archive.slots import CHUNK
from backupd.errors import ArchiveError, DumpError
from backupd.model import (
    Archive,
    Compression,
    DatabaseFacts,
    Member,
    MemberKind,
    Omission,
    OmissionReason,
)
from backupd.sources.files import FileTree
from fakes.archiving import BuildArchive

PASSWORD = "korrekt pferd"


def _seen(root: Path) -> dict[bytes, tuple[int, bytes]]:
    """Describe a tree: type and content of everything, by name in bytes."""
    found = {}
    for path in root.rglob("*"):
        mode, content = path.lstat().st_mode, b""
        if stat.S_ISLNK(mode):
            content = os.fsencode(path.readlink())
        elif stat.S_ISREG(mode):
            content = hashlib.sha256(path.read_bytes()).digest()
        found[os.fsencode(path.relative_to(root))] = stat.S_IFMT(mode), content
    return found


def _extracted(command: list[str], into: Path) -> dict[bytes, tuple[int, bytes]]:
    into.mkdir()
    result = subprocess.run(command, cwd=into, capture_output=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    shutil.rmtree(into / ".backupd")
    (into / "RESTORE.txt").unlink()
    return _seen(into)


needs_7z = pytest.mark.skipif(not shutil.which("7z"), reason="7z is not installed")
needs_bsdtar = pytest.mark.skipif(not shutil.which("bsdtar"), reason="bsdtar is not installed")
needs_unzip = pytest.mark.skipif(not shutil.which("unzip"), reason="unzip is not installed")


@needs_bsdtar
def test_bsdtar_restores_everything(
    build: BuildArchive, tree: Path, tmp_path: Path, compression: Compression
) -> None:
    archive = build(making=Making(compression=compression, workers=2))
    out = tmp_path / "out"
    assert _extracted(["bsdtar", "-xpf", str(archive.path)], out) == _seen(tree)
    odd = out / "odd/a b"
    assert odd.read_text() == "a b"
    assert stat.S_IMODE((out / "nothing").stat().st_mode) == 0o640


@needs_unzip
def test_unzip_finds_nothing_wrong(build: BuildArchive) -> None:
    archive = build()
    result = subprocess.run(["unzip", "-tq", str(archive.path)], capture_output=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@needs_7z
@pytest.mark.parametrize("password", [None, PASSWORD])
def test_7z_finds_nothing_wrong(build: BuildArchive, password: str | None) -> None:
    archive = build(password=password)
    command = ["7z", "t", f"-p{PASSWORD}", str(archive.path)]
    result = subprocess.run(command, capture_output=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert b"Everything is Ok" in result.stdout
    assert b"Warning" not in result.stdout


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_python_reads_every_member_and_the_manifest_is_true(
    build: BuildArchive, tree: Path, password: str | None
) -> None:
    archive = build(password=password)
    with pyzipper.AESZipFile(archive.path) as opened:
        opened.setpassword((password or "").encode() or None)
        manifest = parse_manifest([opened.read(".backupd/manifest.json")])
        names = [info.filename for info in opened.infolist()]
        found = {name: opened.read(name) for name in names}
    assert names[-2:] == ["RESTORE.txt", ".backupd/manifest.json"]
    assert len(manifest.entries) == archive.members == len(names) - 2
    assert manifest.encrypted is bool(password)
    for name, entry in zip(names, manifest.entries, strict=False):
        path = tree / entry.path
        status = path.lstat()
        assert name == entry.path + ("/" if entry.kind is MemberKind.DIRECTORY else "") or (
            b"latin-" in os.fsencode(entry.path)
        )
        assert (entry.mtime_ns, entry.ctime_ns) == (status.st_mtime_ns, status.st_ctime_ns)
        assert (entry.inode, entry.mode) == (status.st_ino, stat.S_IMODE(status.st_mode))
        assert entry.size == (0 if entry.kind is MemberKind.DIRECTORY else len(found[name]))
        if entry.kind is not MemberKind.DIRECTORY:
            assert entry.sha256 == hashlib.sha256(found[name]).hexdigest()
        if entry.kind is MemberKind.FILE:
            assert found[name] == path.read_bytes()


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_a_manifest_of_many_chunks_is_one_document(
    build: BuildArchive, password: str | None
) -> None:
    paths = [f"{number:05}-{'long' * 50}" for number in range(3 * CHUNK // 300)]
    archive = build(
        [Member(path, MemberKind.DIRECTORY, 0, 0o755) for path in paths], password=password
    )
    with pyzipper.AESZipFile(archive.path) as opened:
        opened.setpassword(PASSWORD.encode())
        document = opened.read(MANIFEST_PATH)  # with its CRC-32, or its authentication code
    assert len(document) > 2 * CHUNK
    assert [entry.path for entry in parse_manifest([document]).entries] == paths


def test_the_archive_is_described(build: BuildArchive, tree: Path) -> None:
    moved: list[int] = []
    archive = build(on_progress=moved.append)
    content = archive.path.read_bytes()
    assert archive.sha256 == hashlib.sha256(content).hexdigest()
    assert archive.size == len(content)
    assert archive.content_bytes == sum(moved)
    assert archive.members == sum(1 for _ in tree.rglob("*"))
    assert archive.complete
    assert stat.S_IMODE(archive.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_the_same_input_gives_the_same_bytes_with_any_number_of_workers(
    build: BuildArchive, password: str | None
) -> None:
    digests = set()
    for workers in (1, 2, 5):
        salts = iter(range(10**9))

        def new_salt(length: int, salts: Iterator[int] = salts) -> bytes:
            return next(salts).to_bytes(length, "big")

        making = Making(workers=workers, new_salt=new_salt)
        archive = build(password=password, making=making)
        content = archive.path.read_bytes()
        # The archive's own name stands in RESTORE.txt and in the manifest, which come last.
        with zipfile.ZipFile(archive.path) as opened:
            end = opened.getinfo("RESTORE.txt").header_offset
        digests.add(hashlib.sha256(content[:end]).hexdigest())
    assert len(digests) == 1


def test_no_salt_is_used_twice(build: BuildArchive) -> None:
    given: list[bytes] = []

    def new_salt(length: int) -> bytes:
        given.append(os.urandom(length))
        return given[-1]

    archive = build(password=PASSWORD, making=Making(workers=2, new_salt=new_salt))
    content = archive.path.read_bytes()
    assert len(given) == len(set(given))
    assert all(content.count(salt) == 1 for salt in given)


def _dump(pieces: Callable[[], Iterator[bytes]], path: str = "db-dumps/x.sql") -> Member:
    facts = DatabaseFacts(name="x", kind="postgresql")
    return Member(
        path=path, kind=MemberKind.DUMP, mtime_ns=0, mode=0o600, stream=pieces, database=facts
    )


def test_a_stream_of_unknown_length_is_taken_whole(build: BuildArchive) -> None:
    def pieces() -> Iterator[bytes]:
        for number in range(400):
            yield b"row %d\n" % number * (number * 3)

    archive = build([_dump(pieces)])
    with zipfile.ZipFile(archive.path) as opened:
        assert opened.read("db-dumps/x.sql") == b"".join(pieces())
    assert [database.name for database in archive.databases] == ["x"]


def test_an_empty_stream_is_a_member(build: BuildArchive) -> None:
    archive = build([_dump(lambda: iter([]))], password=PASSWORD)
    with pyzipper.AESZipFile(archive.path) as opened:
        opened.setpassword(PASSWORD.encode())
        assert opened.read("db-dumps/x.sql") == b""


def test_a_failed_dump_raises_its_own_error(build: BuildArchive) -> None:
    failure = DumpError("it went wrong", exit_status=3)

    def pieces() -> Iterator[bytes]:
        yield bytes(3_000_000)
        raise failure

    with pytest.raises(DumpError) as caught:
        build([_dump(pieces)])
    assert caught.value is failure


def _members(tree: Path, *names: str) -> list[Member]:
    found = []
    for name in names:
        status = (tree / name).stat()
        found.append(
            Member(
                path=name,
                kind=MemberKind.FILE,
                size=status.st_size,
                mtime_ns=status.st_mtime_ns,
                mode=stat.S_IMODE(status.st_mode),
                origin=str(tree / name),
            )
        )
    return found


def _names(archive: Archive) -> list[str]:
    with zipfile.ZipFile(archive.path) as opened:
        return opened.namelist()


def test_of_two_members_with_one_path_the_first_is_taken(build: BuildArchive, tree: Path) -> None:
    first, second = _members(tree, "odd/a b", "nothing")
    same = Member(
        path="odd/a b", kind=MemberKind.FILE, mtime_ns=0, mode=0o600, origin=second.origin
    )
    archive = build([first, same])
    assert archive.omissions == (Omission(path="odd/a b", reason=OmissionReason.NAME_TAKEN),)
    assert not archive.complete
    with zipfile.ZipFile(archive.path) as opened:
        assert opened.read("odd/a b") == b"a b"


def test_a_directory_that_is_given_twice_is_one(build: BuildArchive, tree: Path) -> None:
    """As that which leads to an included path outside the root, if the root has one of its name."""
    folder = Member(path="tmp", kind=MemberKind.DIRECTORY, mtime_ns=0, mode=0o755)
    archive = build([folder, *_members(tree, "nothing"), folder])
    assert archive.complete
    assert _names(archive)[:2] == ["tmp/", "nothing"]


@pytest.mark.parametrize("name", ["odd/a b", "large.dat"])
def test_a_file_that_vanished_is_a_harmless_omission(
    build: BuildArchive, tree: Path, name: str
) -> None:
    members = _members(tree, name, "nothing")
    (tree / name).unlink()
    archive = build(members)
    (omission,) = archive.omissions
    assert (omission.path, omission.reason) == (name, OmissionReason.VANISHED)
    assert archive.complete
    assert _names(archive)[0] == "nothing"


@pytest.mark.parametrize("name", ["odd/a b", "large.dat"])
def test_what_became_something_else_is_an_omission(
    build: BuildArchive, tree: Path, name: str
) -> None:
    members = _members(tree, name)
    (tree / name).unlink()
    (tree / name).symlink_to("/etc/hostname")
    archive = build(members)
    assert [omission.reason for omission in archive.omissions] == [OmissionReason.UNREADABLE]
    assert not archive.complete


@pytest.mark.parametrize("name", ["odd/a b", "large.dat"])
def test_a_file_that_grew_since_it_was_seen_is_read_as_it_is(
    build: BuildArchive, tree: Path, name: str
) -> None:
    members = _members(tree, name, "nothing")
    with (tree / name).open("ab") as file:
        file.write(bytes(3_000_000))
    archive = build(members)
    assert archive.complete
    assert archive.changed_while_read == ()
    with zipfile.ZipFile(archive.path) as opened:
        assert opened.read(name) == (tree / name).read_bytes()


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_a_file_that_never_rests_is_taken_as_it_is_and_marked(
    build: BuildArchive, tree: Path, password: str | None
) -> None:
    def write_more(_: int) -> None:
        with (tree / "large.dat").open("ab") as file:
            file.write(b"more")

    members = _members(tree, "large.dat", "nothing")
    archive = build(members, password=password, on_progress=write_more)
    assert archive.changed_while_read == ("large.dat",)
    with pyzipper.AESZipFile(archive.path) as opened:
        opened.setpassword((password or "").encode() or None)
        manifest = json.loads(opened.read(".backupd/manifest.json"))
        content = opened.read("large.dat")
    (entry,) = [member for member in manifest["members"] if member["path"] == "large.dat"]
    assert entry["changed_while_read"] is True
    assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert opened.namelist()[:2] == ["nothing", "large.dat"]


def test_a_file_rewritten_since_it_was_seen_is_taken_as_it_is(
    build: BuildArchive, tree: Path
) -> None:
    """Its size and times are those of before, and only the time of the change tells."""
    items = list(FileTree(root=tree, include=("odd/a b", "nothing")).members())
    seen = (tree / "odd/a b").stat()
    (tree / "odd/a b").write_bytes(b"B A")
    os.utime(tree / "odd/a b", ns=(seen.st_atime_ns, seen.st_mtime_ns))
    archive = build(items)
    assert archive.complete
    with zipfile.ZipFile(archive.path) as opened:
        manifest = parse_manifest([opened.read(".backupd/manifest.json")])
        assert opened.read("odd/a b") == b"B A"
    (entry,) = [entry for entry in manifest.entries if entry.path == "odd/a b"]
    assert entry.sha256 == hashlib.sha256(b"B A").hexdigest()
    assert entry.ctime_ns == (tree / "odd/a b").stat().st_ctime_ns > seen.st_ctime_ns


def test_what_a_source_leaves_out_is_named_before_what_cannot_be_read(
    build: BuildArchive, tree: Path
) -> None:
    gone = _members(tree, *(f"src/{number % 9}/file{number}.py" for number in range(40)))
    for member in gone:
        Path(member.origin).unlink()
    special = [
        Omission(path=f"{number}.socket", reason=OmissionReason.SPECIAL, harmless=True)
        for number in range(40)
    ]
    mixed = [item for pair in zip(gone, special, strict=True) for item in pair]
    archive = build([*mixed, *_members(tree, "nothing")])
    assert archive.omissions[:40] == tuple(special)
    assert [each.path for each in archive.omissions[40:]] == [member.path for member in gone]


def test_a_file_cut_short_under_the_reader_is_read_again(build: BuildArchive, tree: Path) -> None:
    def cut(_: int) -> None:
        os.truncate(tree / "large.dat", 1_500_000)

    archive = build(_members(tree, "large.dat"), on_progress=cut)
    with zipfile.ZipFile(archive.path) as opened:
        assert opened.read("large.dat") == (tree / "large.dat").read_bytes()
    assert archive.complete


def test_a_set_with_its_own_restore_text_keeps_it(build: BuildArchive, tree: Path) -> None:
    (tree / "RESTORE.txt").write_text("mine")
    archive = build(_members(tree, "RESTORE.txt"))
    assert _names(archive) == ["RESTORE.txt", "RESTORE.backupd.txt", ".backupd/manifest.json"]


def test_an_archive_is_never_written_over_another(build: BuildArchive, tmp_path: Path) -> None:
    (tmp_path / "set-1.zip").touch()
    with pytest.raises(ArchiveError, match=r"set-1\.zip cannot be written: File exists"):
        build()


def test_an_archive_of_nothing_can_be_read(build: BuildArchive) -> None:
    assert _names(build([])) == ["RESTORE.txt", ".backupd/manifest.json"]
