import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import pyzipper

from backupd.archive.cipher import KeyStream, check_password
from backupd.archive.making import Making
from backupd.archive.probe import refuse_plain_members
from backupd.archive.records import HEAD_BYTES
from backupd.errors import ArchiveError
from fakes.archiving import BuildArchive

PASSWORD = "korrekt pferd"
HIDDEN = Making(workers=2, hide_names=True)


def _inner(archive: Path, target: Path) -> Path:
    with pyzipper.AESZipFile(archive) as outer:
        outer.setpassword(PASSWORD.encode())
        return Path(outer.extract("contents.zip", target))


def test_nothing_of_the_names_can_be_seen(build: BuildArchive) -> None:
    archive = build(password=PASSWORD, making=HIDDEN)
    with pyzipper.AESZipFile(archive.path) as outer:
        assert outer.namelist() == ["contents.zip", "RESTORE.txt"]
        assert b"7z x set-1.zip contents.zip" in outer.read("RESTORE.txt")
    assert b"file1" not in archive.path.read_bytes()
    assert archive.encrypted


def test_the_inner_archive_is_the_one_without_a_password_but_for_what_it_says_of_itself(
    build: BuildArchive, tmp_path: Path
) -> None:
    inner = _inner(build(password=PASSWORD, making=HIDDEN).path, tmp_path)
    plain = build().path
    with zipfile.ZipFile(inner) as one, zipfile.ZipFile(plain) as other:
        assert one.namelist() == other.namelist()
        own = {"RESTORE.txt", ".backupd/manifest.json"}
        names = [name for name in one.namelist() if name not in own]
        assert [one.read(name) for name in names] == [other.read(name) for name in names]
        assert b'"encrypted": true' in one.read(".backupd/manifest.json")


@pytest.mark.skipif(not shutil.which("7z"), reason="7z is not installed")
def test_7z_extracts_it_in_two_steps(build: BuildArchive, tmp_path: Path) -> None:
    archive = build(password=PASSWORD, making=HIDDEN)
    for command in (
        ["7z", "t", f"-p{PASSWORD}", str(archive.path)],
        ["7z", "x", f"-p{PASSWORD}", str(archive.path), "contents.zip"],
        ["7z", "t", "contents.zip"],
    ):
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr


def test_a_part_can_be_read_without_what_is_before_it(build: BuildArchive, tmp_path: Path) -> None:
    archive = build(password=PASSWORD, making=HIDDEN)
    inner = _inner(archive.path, tmp_path).read_bytes()
    content = archive.path.read_bytes()
    with pyzipper.AESZipFile(archive.path) as outer:
        info = outer.getinfo("contents.zip")
    start = content.index(b"contents.zip") + len("contents.zip") + 20 + 9 + 15 + 11
    keys = check_password(PASSWORD, content[start : start + HEAD_BYTES])
    start += HEAD_BYTES
    part = content[start + 123_457 : start + 130_001]
    assert KeyStream(keys).apply(part, 123_457) == inner[123_457:130_001]
    assert info.file_size == len(inner)


def test_a_changing_file_is_taken_back_from_a_sealed_archive(
    build: BuildArchive, tree: Path, tmp_path: Path
) -> None:
    def write_more(_: int) -> None:
        with (tree / "large.dat").open("ab") as file:
            file.write(b"more")

    archive = build(password=PASSWORD, making=HIDDEN, on_progress=write_more)
    assert archive.changed_while_read == ("large.dat",)
    with zipfile.ZipFile(_inner(archive.path, tmp_path)) as inner:
        assert inner.testzip() is None


def test_an_archive_with_a_plain_member_is_refused(build: BuildArchive) -> None:
    with pytest.raises(ArchiveError, match="came out plain"):
        refuse_plain_members(build().path)
    sealed = build(password=PASSWORD, making=HIDDEN).path
    with pytest.raises(ArchiveError, match=r"'RESTORE\.txt' the first"):
        refuse_plain_members(sealed)
    sealed.write_bytes(sealed.read_bytes()[:-30])
    with pytest.raises(ArchiveError, match="cannot be read back"):
        refuse_plain_members(sealed)
