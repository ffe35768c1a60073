"""The file tree as members."""

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backupd.errors import SourceError
from backupd.model import Member, MemberKind, Omission, OmissionReason
from backupd.sources.files import FileTree
from fakes.mounts import mounted, tmpfs
from fakes.tree import ODD_NAMES, odd_tree, special_files

NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "application"
    path.mkdir()
    yield path
    subprocess.run(["rm", "-rf", str(path)], check=True)  # pytest cannot remove the deepest trees


@contextmanager
def without_rights() -> Iterator[Path]:
    """Give a folder to a user who is not root, and be that user."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        if user == 0:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            os.seteuid(user)


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def members(tree: FileTree) -> list[Member]:
    return [item for item in tree.members() if isinstance(item, Member)]


def omissions(tree: FileTree) -> list[Omission]:
    return [item for item in tree.members() if isinstance(item, Omission)]


def paths(tree: FileTree) -> list[str]:
    return [member.path for member in members(tree)]


def test_members_come_in_the_order_of_their_names(root: Path) -> None:
    write(root, "b", "a/z", "a/b/c", "c", "a.b")
    assert paths(FileTree(root=root)) == ["a", "a/b", "a/b/c", "a/z", "a.b", "b", "c"]


def test_a_member_carries_what_the_file_system_says(root: Path) -> None:
    write(root, "file")
    (root / "file").chmod(0o640)
    os.utime(root / "file", ns=(0, 1_700_000_000_123_456_789))
    status = (root / "file").stat()
    [member] = members(FileTree(root=root))
    assert member.kind is MemberKind.FILE
    assert (member.size, member.mode, member.mtime_ns) == (4, 0o640, 1_700_000_000_123_456_789)
    assert (member.uid, member.gid, member.inode) == (status.st_uid, status.st_gid, status.st_ino)
    assert member.ctime_ns == status.st_ctime_ns
    assert Path(member.origin).samefile(root / "file")


def test_odd_names_are_taken_as_they_are(root: Path) -> None:
    odd_tree(root)
    found = {os.fsencode(path) for path in paths(FileTree(root=root))}
    assert {b"names/" + name for name in ODD_NAMES} <= found


def test_links_stay_links_wherever_they_lead(root: Path) -> None:
    odd_tree(root)
    links = {
        member.path: member.link_target
        for member in members(FileTree(root=root))
        if member.kind is MemberKind.SYMLINK
    }
    assert links == {
        "link to file": "zeros",
        "link to folder": "names",
        "dangling": "/nowhere/at/all",
        "loop": "loop",
        "link up": "..",
    }


def test_followed_links_give_what_they_point_to_and_loops_end(root: Path) -> None:
    write(root, "folder/file")
    (root / "to-folder").symlink_to("folder")
    (root / "folder" / "up").symlink_to("..")
    (root / "dangling").symlink_to("nowhere")
    kinds = {
        member.path: member.kind for member in members(FileTree(root=root, follow_symlinks=True))
    }
    assert kinds["to-folder"] is MemberKind.DIRECTORY
    assert kinds["to-folder/file"] is MemberKind.FILE
    assert kinds["dangling"] is MemberKind.SYMLINK
    assert kinds["folder/up"] is MemberKind.SYMLINK


def test_empty_folders_are_kept(root: Path) -> None:
    (root / "a" / "b").mkdir(parents=True)
    assert paths(FileTree(root=root)) == ["a", "a/b"]


def test_special_files_are_named_and_harmless(root: Path) -> None:
    write(root, "file")
    special_files(root)
    found = {(each.path, each.reason, each.harmless) for each in omissions(FileTree(root=root))}
    assert found == {
        ("fifo", OmissionReason.SPECIAL, True),
        ("socket", OmissionReason.SPECIAL, True),
    }


def test_excluded_folders_are_not_entered(root: Path) -> None:
    write(root, "vendor/a/b.php", "app/vendor/c.php", "app/d.php", "app/debug.log", "keep.log")
    tree = FileTree(root=root, exclude=("vendor/", "*.log", "!keep.log"))
    assert paths(tree) == ["app", "app/d.php", "keep.log"]


def test_a_pattern_with_a_slash_is_anchored_at_the_root(root: Path) -> None:
    write(root, "storage/logs/x", "app/storage/logs/y")
    assert paths(FileTree(root=root, exclude=("/storage/logs",))) == [
        "app",
        "app/storage",
        "app/storage/logs",
        "app/storage/logs/y",
        "storage",
    ]


def test_includes_bring_the_folders_that_lead_to_them(root: Path) -> None:
    write(root, "storage/app/documents/a", "storage/logs/b", ".env")
    (root / "storage").chmod(0o711)
    tree = FileTree(root=root, include=("storage/app/documents", ".env"))
    assert paths(tree) == [
        ".env",
        "storage",
        "storage/app",
        "storage/app/documents",
        "storage/app/documents/a",
    ]
    [storage] = [member for member in members(tree) if member.path == "storage"]
    assert (storage.kind, storage.mode) == (MemberKind.DIRECTORY, 0o711)


def test_includes_that_overlap_give_each_member_once(root: Path) -> None:
    write(root, "app/a", "app/b/c")
    assert paths(FileTree(root=root, include=("app/b", "app", "app/a"))) == [
        "app",
        "app/a",
        "app/b",
        "app/b/c",
    ]


def test_what_lies_outside_the_root_keeps_its_absolute_path(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "outside/file")
    tree = FileTree(root=root, include=(str(tmp_path / "outside"),))
    assert paths(tree)[-1] == str(tmp_path / "outside" / "file").lstrip("/")


def test_a_missing_include_is_an_error(root: Path) -> None:
    write(root, "a")
    with pytest.raises(SourceError, match="missing is to be backed up"):
        members(FileTree(root=root, include=("a", "missing")))


def test_a_missing_root_is_an_error(root: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        members(FileTree(root=root / "nowhere"))


def test_an_empty_selection_is_an_error(root: Path) -> None:
    write(root, "a.log")
    with pytest.raises(SourceError, match="Nothing is selected"):
        members(FileTree(root=root, exclude=("*",)))


def test_spool_and_destinations_are_left_out_even_through_a_link(root: Path) -> None:
    write(root, "app/a", "backups/shop.zip")
    (root.parent / "link").symlink_to(root)
    tree = FileTree(root=root.parent / "link", never=(root.parent / "link" / "backups",))
    assert paths(tree) == ["app", "app/a"]


def test_the_spool_is_left_out_behind_a_link_that_is_followed(root: Path, tmp_path: Path) -> None:
    write(root, "app/a")
    write(tmp_path, "var/spool/shop.zip.partial", "var/other")
    (root / "app" / "var").symlink_to(tmp_path / "var")
    tree = FileTree(root=root, follow_symlinks=True, never=(tmp_path / "var" / "spool",))
    assert paths(tree) == ["app", "app/a", "app/var", "app/var/other"]


def test_an_included_directory_that_goes_away_is_an_error(root: Path) -> None:
    write(root, "app/a", "b/c")
    items = FileTree(root=root, include=("app", "b")).members()
    next(items)
    subprocess.run(["rm", "-r", root / "b"], check=True)
    with pytest.raises(SourceError, match="b is to be backed up and cannot be read"):
        list(items)


def test_what_cannot_be_read_makes_a_partial_backup() -> None:
    with without_rights() as root:
        write(root, "closed/secret", "open")
        (root / "closed").chmod(0)
        try:
            [omission] = omissions(FileTree(root=root))
            [ignored] = omissions(FileTree(root=root, ignore_unreadable=True))
        finally:
            (root / "closed").chmod(0o700)
    assert (omission.path, omission.reason) == ("closed", OmissionReason.UNREADABLE)
    assert not omission.harmless
    assert ignored.harmless


def test_a_path_longer_than_the_system_takes_is_named(root: Path) -> None:
    here = os.open(root, os.O_DIRECTORY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=here)
        deeper = os.open("d" * 250, os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    [omission] = omissions(FileTree(root=root))
    assert omission.reason is OmissionReason.TOO_LONG
    assert not omission.harmless


def test_a_deep_tree_is_no_recursion(root: Path) -> None:
    depth = 1500
    subprocess.run(["mkdir", "-p", "/".join("d" * depth)], check=True, cwd=root)
    assert len(paths(FileTree(root=root))) == depth


def test_another_file_system_is_not_entered_when_asked(root: Path) -> None:
    write(root, "file")
    with mounted(root, *tmpfs("1m")):
        (root / "inside").touch()
        one = paths(FileTree(root=root.parent, one_file_system=True))
        both = paths(FileTree(root=root.parent))
    assert one == [root.name]
    assert both == [root.name, f"{root.name}/inside"]


def test_sizes_are_bytes_and_modes_are_permission_bits(root: Path) -> None:
    odd_tree(root)
    for member in members(FileTree(root=root)):
        assert member.mode == stat.S_IMODE(os.lstat(member.origin).st_mode)
        if member.kind is MemberKind.FILE:
            assert member.size == os.lstat(member.origin).st_size
