"""What stands in the way, and what may stay, where something is to be restored."""

import hashlib
import os
from pathlib import Path

from backupd.archive.directory import Record
from backupd.archive.reader import StoredMember
from backupd.archive.survey import Survey, survey
from backupd.archive.target import Target
from backupd.model import ManifestEntry, MemberKind

CONTENT = b"the same"


def surveyed(folder: Path, *, mode: int | None = None, mtime_ns: int | None = None) -> Survey:
    """Survey a directory for a file of it, as it is there but for its mode or time."""
    status = (folder / "file").stat()
    entry = ManifestEntry(
        path="file",
        kind=MemberKind.FILE,
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        mode=status.st_mode & 0o7777 if mode is None else mode,
        mtime_ns=status.st_mtime_ns if mtime_ns is None else mtime_ns,
        uid=status.st_uid,
        gid=status.st_gid,
    )
    record = Record(b"file", 0, 0, len(CONTENT), 0, 0, 0, False, True, 0, b"", (0, 0))  # noqa: FBT003
    return survey(Target(root=folder), [StoredMember(entry=entry, record=record)])


def test_a_file_of_the_same_content_stays_and_gets_its_mode(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert len(surveyed(tmp_path, mode=0o640).unchanged) == 1


def test_one_that_has_another_name_elsewhere_is_in_the_way_unless_nothing_is_to_change(
    tmp_path: Path,
) -> None:
    """As in a tree of hard links: its mode would change under the other name, too."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_bytes(CONTENT)
    os.link(folder / "file", tmp_path / "elsewhere")
    assert surveyed(folder, mode=0o640).in_the_way == ("file",)
    assert surveyed(folder, mtime_ns=1).in_the_way == ("file",)
    assert surveyed(folder).in_the_way == ()
