"""What other programs make of our archives: unzip, 7-Zip, bsdtar and pyzipper."""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pyzipper

from backupd.archive.writer import build_archive
from backupd.model import Archive, ArchiveHeader, Member, Scope
from backupd.sources.files import FileTree
from fakes.tree import contents, odd_tree, seconds

PASSWORD = "p ä\"ss'w$ord#"
Extract = Callable[[Path, Path], None]


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")[-2000:]
    return done.stdout.decode(errors="replace")


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed; scripts/test names its package")


def by_unzip(archive: Path, target: Path) -> None:
    needs("unzip")
    # -^ allows control characters in names, -K sets setuid bits.
    run("unzip", "-q", "-^", "-K", archive, "-d", target)


def by_7z(archive: Path, target: Path) -> None:
    needs("7z")
    refusal = "ERROR: Dangerous link path was ignored : link up : .."
    command = ["7z", "x", "-bd", f"-p{PASSWORD}", f"-o{target}", str(archive)]
    done = subprocess.run(command, capture_output=True, check=False, umask=0, text=True)
    assert done.stderr.strip() == refusal


def by_bsdtar(archive: Path, target: Path) -> None:
    needs("bsdtar")
    target.mkdir()
    run("bsdtar", "-xpf", archive, "-C", target)


def by_bsdtar_without_links(archive: Path, target: Path) -> None:
    needs("bsdtar")
    target.mkdir()
    bsdtar_decrypts("-xpf", archive, "-C", target)


def bsdtar_decrypts(*arguments: str | Path) -> None:
    """Run bsdtar, which finds nothing wrong but the five links whose targets it cannot decrypt."""
    command = ["bsdtar", "--passphrase", PASSWORD, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    lines = done.stderr.decode().splitlines()
    assert len(lines) == len(LINKS) + 1
    assert all("decompression of link entry (99: aes)" in line for line in lines[:-1])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    path = tmp_path / "tree"
    path.mkdir()
    odd_tree(path)
    return path


def build(tree: Path, target: Path, password: str | None) -> Archive:
    members = [item for item in FileTree(root=tree).members() if isinstance(item, Member)]
    header = ArchiveHeader(
        archive="shop-2025-11-08-01-00-00.zip",
        set_name="shop",
        created_at=datetime(2025, 11, 8, 1, tzinfo=UTC),
        timezone="UTC",
        scope=Scope.FULL,
        version="0",
    )
    return build_archive(members, target, header, password=password, on_progress=lambda _: None)


def without_ours(target: Path) -> Path:
    (target / "RESTORE.txt").unlink()
    shutil.rmtree(target / ".backupd")
    return target


@pytest.fixture
def plain(tree: Path, tmp_path: Path) -> Path:
    return build(tree, tmp_path / "plain.zip", None).path


@pytest.fixture
def encrypted(tree: Path, tmp_path: Path) -> Path:
    return build(tree, tmp_path / "encrypted.zip", PASSWORD).path


def test_every_program_finds_the_plain_archive_whole(plain: Path) -> None:
    for program in ("unzip", "7z", "bsdtar"):
        needs(program)
    run("unzip", "-tq", plain)
    run("7z", "t", plain)
    run("bsdtar", "-tf", plain)


def test_7z_finds_the_encrypted_archive_whole(encrypted: Path) -> None:
    needs("7z")
    run("7z", "t", f"-p{PASSWORD}", encrypted)


def test_7z_refuses_a_wrong_password(encrypted: Path) -> None:
    needs("7z")
    command = ["7z", "t", "-pwrong", str(encrypted)]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("extract", [by_unzip, by_7z, by_bsdtar])
def test_extracted_plain_it_equals_the_source(
    extract: Extract, tree: Path, plain: Path, tmp_path: Path
) -> None:
    extract(plain, tmp_path / "out")
    assert_equal(extract, tree, without_ours(tmp_path / "out"))


@pytest.mark.parametrize("extract", [by_7z, by_bsdtar_without_links])
def test_extracted_encrypted_it_equals_the_source(
    extract: Extract, tree: Path, encrypted: Path, tmp_path: Path
) -> None:
    extract(encrypted, tmp_path / "out")
    assert_equal(extract, tree, without_ours(tmp_path / "out"))


LINKS = {"link to file", "link to folder", "link up", "dangling", "loop"}
OUT_OF_RANGE = {"time 1969", "time 2110"}
NOT_UTF8 = {os.fsdecode(b"names/not utf-8 \xff\xfe")}
OWN_WAYS: dict[Extract, set[str]] = {
    # In a UTF-8 locale it mends names that are not UTF-8.
    by_unzip: NOT_UTF8 | OUT_OF_RANGE,
    # It refuses links that lead out and turns absolute ones inwards; it never sets setuid.
    by_7z: {"link up", "dangling", "mode 4755"},
    by_bsdtar: OUT_OF_RANGE,
    # libarchive cannot decrypt the target of a link.
    by_bsdtar_without_links: OUT_OF_RANGE | LINKS,
}


def assert_equal(extract: Extract, tree: Path, out: Path) -> None:
    """Compare content, modes, links and times, but for what a program does its own way."""
    own = OWN_WAYS[extract]
    expected, found = contents(tree), contents(out)
    for key in own - OUT_OF_RANGE:
        expected.pop(key, None)
        found.pop(key, None)
    if extract is by_unzip:
        found = {key: each for key, each in found.items() if "not utf-8" not in key}
    assert found == expected
    own = own | LINKS if extract is by_unzip else own  # it gives links the time of extraction
    times, found_times = seconds(tree), seconds(out)
    assert {key: found_times[key] for key in times.keys() - own} == {
        key: times[key] for key in times.keys() - own
    }


def test_pyzipper_reads_every_byte(tree: Path, encrypted: Path) -> None:
    source = contents(tree)
    with pyzipper.AESZipFile(encrypted) as archive:
        archive.setpassword(PASSWORD.encode())
        for info in archive.infolist():
            mode = info.external_attr >> 16
            if info.filename in {"RESTORE.txt", ".backupd/manifest.json"} or info.is_dir():
                continue
            try:
                name = info.filename
                kind, bits, content = source[name]
            except KeyError:  # a name that is not UTF-8
                name = info.filename.encode("cp437").decode("utf-8", "surrogateescape")
                kind, bits, content = source[name]
            assert archive.read(info) == content
            assert stat.S_ISLNK(mode) == (kind == "link")
            assert kind == "link" or stat.S_IMODE(mode) == bits


def test_with_a_password_no_member_is_stored_plain(encrypted: Path) -> None:
    needs("unzip")
    needs("7z")
    listing = run("7z", "l", "-slt", encrypted)
    members = [
        dict(line.split(" = ", 1) for line in block.splitlines() if " = " in line)
        for block in listing.split("\n\n")
    ]
    files = [each for each in members if each.get("Folder") == "-" and "Encrypted" in each]
    assert len(files) > 30
    assert {each["Encrypted"] for each in files} == {"+"}
    assert all("AES-256" in each["Method"] for each in files)
