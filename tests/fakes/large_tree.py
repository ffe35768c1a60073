"""A tree of as many files as are asked for, with all that the files source knows how to take."""

import os
from pathlib import Path

from fakes.archives import Seen, look, odd_tree
from fakes.tree import special_files

SPECIAL = {b"fifo", b"socket"}
_MODES = (("setuid", 0o4755), ("setgid", 0o2755), ("sticky", 0o1644))
_FOLDER_MODES = (("shared", 0o2775), ("as tmp", 0o1777))
_TIMES = (("1901", -2_177_452_800), ("2106", 4_294_967_296), ("2200", 7_258_118_400))
_OWNERS = ((1, 2), (65_536, 65_537), (4_000_000_000, 3))


def large_odd_tree(root: Path, files: int) -> Path:
    """Fill `root` with small files and with oddities; as root, with those that only root can do."""
    for number in range(files):
        folder = root / f"many/{number // 1000}/{number // 100 % 10}"
        if number % 100 == 0:
            folder.mkdir(parents=True)
        path = folder / f"file {number}"
        path.write_bytes(b"%d" % number * (number % 40))
        os.utime(path, ns=(0, 1_500_000_000_000_000_001 + number * 1_000_003))
    more = root / "more"
    more.mkdir()
    _odd_content(more)
    _odd_names(more)
    _odd_modes_and_times(more)
    if os.geteuid() == 0:
        _for_root_only(more)
    special_files(root)
    return odd_tree(root)


def _odd_content(root: Path) -> None:
    (root / "hard link").write_bytes(os.urandom(5000))
    (root / "its twin").hardlink_to(root / "hard link")
    with (root / "sparse").open("wb") as file:
        file.truncate(20_000_000)
        file.seek(9_000_000)
        file.write(b"an island")
    (root / "archive.zip").write_bytes(b"PK\x05\x06" + bytes(18))


def _odd_names(root: Path) -> None:
    (root / "Case").write_text("upper")
    (root / "case").write_text("lower")
    (root / "composed \u00e9").write_text("one code point")
    (root / "composed e\u0301").write_text("two code points")
    deep = root.joinpath(*("d" * 200 for _ in range(15)))
    deep.mkdir(parents=True)
    (deep / "leaf").write_text("3,000 characters from the top")
    Path(os.fsdecode(bytes(root) + b"/empty folder \xff\x80")).mkdir()
    Path(os.fsdecode(bytes(root) + b"/link \xfe")).symlink_to(os.fsdecode(b"to \xfd"))


def _odd_modes_and_times(root: Path) -> None:
    for name, mode in _MODES:
        (root / name).write_text(name)
        (root / name).chmod(mode)
    for name, mode in _FOLDER_MODES:
        (root / name).mkdir()
        (root / name / "inside").write_text(name)
        (root / name).chmod(mode)
    for name, when in _TIMES:
        (root / name).write_text(name)
        os.utime(root / name, ns=(0, when * 10**9 + 999_999_999))


def _for_root_only(root: Path) -> None:
    (root / "no rights").mkdir()
    (root / "no rights/inside").touch(mode=0)
    (root / "no rights").chmod(0)
    for number, (uid, gid) in enumerate(_OWNERS):
        (root / f"owner {number}").mkdir()
        (root / f"owner {number}/owned").touch()
        os.chown(root / f"owner {number}", uid, gid)
        os.chown(root / f"owner {number}/owned", gid, uid)


def restorable(root: Path) -> dict[bytes, Seen]:
    """Describe all of a tree but the FIFO and the socket, which no archive takes."""
    return {name: seen for name, seen in look(root).items() if name not in SPECIAL}


def differences(
    expected: dict[bytes, Seen], found: dict[bytes, Seen]
) -> dict[bytes, tuple[Seen | None, Seen | None]]:
    """Name what is not the same in both, with how it is in each."""
    return {
        name: (expected.get(name), found.get(name))
        for name in expected.keys() | found.keys()
        if expected.get(name) != found.get(name)
    }
