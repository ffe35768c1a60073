"""An application tree with every oddity that a file tree can have, and how two trees compare."""

import os
import socket
import stat
from pathlib import Path

ODD_NAMES = (
    b"plain.txt",
    b"with space and 'quotes' \"double\"",
    b"new\nline",
    b"back\\slash",
    b"-dash",
    b"*star?[x]",
    "é ü 漢字 🗄".encode(),
    b"not utf-8 \xff\xfe",
    b"x" * 255,
    b"trailing space ",
    b"#hash",
    b"!bang",
    b"nul-like\\0",
)


def odd_tree(root: Path) -> None:
    """Write files with odd names, times, modes and kinds under `root`."""
    names = os.fsencode(root / "names")
    (root / "names").mkdir(parents=True)
    for name in ODD_NAMES:
        with open(names + b"/" + name, "wb") as file:  # noqa: PTH123  (a name in bytes)
            file.write(name * 3)
    (root / "empty folder").mkdir()
    (root / "empty file").touch()
    (root / "zeros").write_bytes(bytes(3_000_000))
    (root / "noise").write_bytes(os.urandom(2_500_000))
    (root / "deep").joinpath(*"abcdefghij").mkdir(parents=True)
    (root / "deep").joinpath(*"abcdefghij", "leaf").write_text("leaf")
    _links(root)
    _modes_and_times(root)


def _links(root: Path) -> None:
    (root / "link to file").symlink_to("zeros")
    (root / "link to folder").symlink_to("names")
    (root / "dangling").symlink_to("/nowhere/at/all")
    (root / "loop").symlink_to("loop")
    (root / "link up").symlink_to("..")


def _modes_and_times(root: Path) -> None:
    for mode in (0o400, 0o755, 0o4755, 0o664):
        path = root / f"mode {mode:o}"
        path.write_text("mode")
        path.chmod(mode)
    (root / "folder 711").mkdir(mode=0o711)
    times = {"1969": -86_400, "1970": 0, "1979": 300_000_000, "2024": 1_700_000_000}
    for name, seconds in (*times.items(), ("2039", 2_200_000_000), ("2110", 4_420_000_000)):
        path = root / f"time {name}"
        path.write_text(name)
        os.utime(path, ns=(0, seconds * 1_000_000_000 + 123_456_789))


def special_files(root: Path) -> None:
    """Add a fifo and a socket."""
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(root, os.O_DIRECTORY)
        try:
            listener.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)


def contents(root: Path) -> dict[str, tuple[str, int, bytes]]:
    """Describe every thing below `root` by path: kind, permission bits, content or link target."""
    found: dict[str, tuple[str, int, bytes]] = {}
    base = os.fsencode(root)
    for folder, folders, files in os.walk(base):
        for name in folders + files:
            path = folder + b"/" + name
            status = os.lstat(path)
            key = os.fsdecode(path[len(base) + 1 :])
            if stat.S_ISLNK(status.st_mode):
                found[key] = ("link", 0, os.readlink(path))  # noqa: PTH115  (a name in bytes)
            elif stat.S_ISDIR(status.st_mode):
                found[key] = ("folder", stat.S_IMODE(status.st_mode), b"")
            else:
                with open(path, "rb") as file:  # noqa: PTH123  (a name in bytes)
                    found[key] = ("file", stat.S_IMODE(status.st_mode), file.read())
    return found


def seconds(root: Path) -> dict[str, int]:
    """Give the modification time of every file below `root`, in whole seconds."""
    base = os.fsencode(root)
    return {
        os.fsdecode(path[len(base) + 1 :]): os.lstat(path).st_mtime_ns // 1_000_000_000
        for folder, _, files in os.walk(base)
        for path in (folder + b"/" + name for name in files)
    }
