"""Restores onto several file systems, and onto those that are too small."""

import os
from pathlib import Path

import pytest

from conftest import Program
from fakes.archives import look
from fakes.mounts import mounted, tmpfs

MEBIBYTE = 1024 * 1024


@pytest.fixture
def app(program: Program) -> Program:
    """Let the application have more files than 3 MiB hold, and what lies outside its directory."""
    for number in range(4):
        (program.root / f"storage/{number}.bin").write_bytes(os.urandom(MEBIBYTE))
    outside = program.folder / "etc/shop"
    outside.mkdir(parents=True)
    (outside / "shop.conf").write_text("as it was")
    (program.folder / "etc/one.conf").write_text("as it was")
    (program.folder / "etc/others.conf").write_text("not ours")
    program.set(SOURCE__INCLUDE=f".,{outside},{program.folder / 'etc/one.conf'}")
    taken(program)
    return program


def taken(program: Program) -> None:
    done = program("run")
    assert done.code == 0, done.err


def test_a_restore_to_a_file_system_that_is_too_small_writes_nothing(app: Program) -> None:
    with mounted(app.folder / "small", *tmpfs("3m")) as small:
        done = app("restore", "--to", str(small))
        assert (done.code, list(small.iterdir())) == (1, [])
        assert "bytes free, and 4," in done.err
        assert "--path" in done.err
        planned = app("restore", "--to", str(small), "--dry-run")
        assert (planned.code, planned.err) == (1, done.err)
        assert " needed, " in planned.out
        assert app("restore", "--to", str(small), "--path", "storage/1.bin").code == 0


def test_a_drill_in_a_spool_that_is_too_small_fails_and_says_what_to_set(app: Program) -> None:
    with mounted(app.folder / "small", *tmpfs("3m")) as small:
        app.set(SPOOL=str(small))
        done = app("drill")
        assert (done.code, list(small.iterdir())) == (1, [])
        assert "bytes free, and 4," in done.out + done.err
        assert "BACKUP_SPOOL" in done.out + done.err
        assert " BAD " not in app("list", "--backups").out


def spoilt(app: Program) -> dict[bytes, str]:
    """Change files inside and outside, and say how everything was before."""
    good = contents(app)
    (app.root / "storage/0.bin").write_bytes(b"broken")
    (app.root / "app/code.php").unlink()
    (app.folder / "etc/shop/shop.conf").write_text("broken")
    (app.folder / "etc/one.conf").unlink()
    return good


def contents(app: Program) -> dict[bytes, str]:
    found = {**look(app.root), **look(app.folder / "etc")}
    return {name: seen.content for name, seen in found.items() if b".backupd" not in name}


def test_in_place_puts_back_what_lies_outside_and_on_another_file_system(app: Program) -> None:
    with mounted(app.root / "uploads", *tmpfs("3m")) as uploads:
        (uploads / "deep").mkdir()
        (uploads / "deep/photo.jpg").write_text("as it was")
        taken(app)
        good = spoilt(app)
        (uploads / "deep/photo.jpg").unlink()
        done = app("restore", "--in-place")
        assert (done.code, done.err) == (0, "")
        assert contents(app) == good
        assert not list(uploads.glob(".backupd-*"))
        (uploads / "deep/photo.jpg").write_text("broken")
        assert app("restore", "--in-place", "--path", "uploads/deep/photo.jpg").code == 0
        assert contents(app) == good


def test_in_place_knows_a_directory_that_is_mounted_from_the_same_file_system(
    app: Program,
) -> None:
    (app.folder / "volume").mkdir()
    with mounted(app.root / "uploads", "--bind", str(app.folder / "volume")) as uploads:
        (uploads / "photo.jpg").write_text("as it was")
        taken(app)
        good = spoilt(app)
        (uploads / "photo.jpg").write_text("broken")
        done = app("restore", "--in-place")
        assert (done.code, done.err) == (0, "")
        assert contents(app) == good


def test_in_place_on_a_mount_that_is_too_small_changes_nothing_anywhere(app: Program) -> None:
    uploads = app.root / "uploads"
    uploads.mkdir()
    (uploads / "large.jpg").write_bytes(os.urandom(4 * MEBIBYTE))
    taken(app)
    (uploads / "large.jpg").unlink()
    spoilt(app)
    with mounted(uploads, *tmpfs("3m")):
        broken = contents(app)
        for more in ((), ("--dry-run",)):
            done = app("restore", "--in-place", *more)
            assert done.code == 1
            assert f"{uploads} has 3,145,728 bytes free" in done.err
            assert contents(app) == broken
            assert not list(Path(app.root).rglob(".backupd-*"))


def test_in_place_does_not_count_room_that_another_file_system_has_to_give(app: Program) -> None:
    """The root is small, and what is large belongs to a mount point."""
    small, uploads = app.folder / "small", app.folder / "small/uploads"
    with mounted(small, *tmpfs("3m")), mounted(uploads, *tmpfs("30m")):
        (small / "code.php").write_text("as it was")
        (uploads / "large.jpg").write_bytes(os.urandom(4 * MEBIBYTE))
        app.set(SOURCE__ROOT=str(small), SOURCE__INCLUDE=".")
        taken(app)
        (small / "code.php").unlink()
        (uploads / "large.jpg").unlink()
        done = app("restore", "--in-place")
        assert done.code == 0, done.err
        assert (small / "code.php").read_text() == "as it was"
        assert (uploads / "large.jpg").stat().st_size == 4 * MEBIBYTE
