"""What only a local directory has: modes, hard links, a copy across file systems, leftovers."""

import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from backupd.destinations.local import LocalDirectory
from backupd.errors import DestinationError
from backupd.naming import is_of_set

KEY = "shop-2025-11-08-01-00-00.zip"
TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def local(tmp_path: Path) -> LocalDirectory:
    def owns(key: str) -> bool:
        return is_of_set("shop", key, ZoneInfo("UTC"))

    return LocalDirectory(name="local", path=tmp_path / "backups", owns=owns)


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder on another file system than tmp_path's."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def put(local: LocalDirectory, path: Path) -> Path:
    local.store("shop-1.zip", path, on_progress=lambda _: None)
    return local.path / "shop-1.zip"


def test_the_directory_is_private_and_so_is_each_object(
    local: LocalDirectory, elsewhere: Path
) -> None:
    (elsewhere / "given").write_bytes(b"content")
    stored = put(local, elsewhere / "given")
    assert stat.S_IMODE(local.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600


def test_on_the_spools_file_system_a_copy_costs_a_link(
    local: LocalDirectory, tmp_path: Path
) -> None:
    (tmp_path / "given").write_bytes(b"content")
    assert put(local, tmp_path / "given").samefile(tmp_path / "given")


def test_across_file_systems_the_bytes_are_copied(local: LocalDirectory, elsewhere: Path) -> None:
    content = os.urandom(3_000_000)
    (elsewhere / "given").write_bytes(content)
    assert put(local, elsewhere / "given").read_bytes() == content
    assert os.listdir(local.path) == ["shop-1.zip"]


def test_a_copy_that_is_cut_short_leaves_nothing(local: LocalDirectory, elsewhere: Path) -> None:
    def cut(_: int) -> None:
        raise KeyboardInterrupt

    (elsewhere / "given").write_bytes(os.urandom(3_000_000))
    with pytest.raises(KeyboardInterrupt):
        local.store("shop-1.zip", elsewhere / "given", on_progress=cut)
    assert os.listdir(local.path) == []


def test_leftovers_of_a_dead_delivery_are_swept_and_nothing_else(local: LocalDirectory) -> None:
    local.path.mkdir()
    ours = f".{KEY}.0badf00d.partial"
    theirs = [
        ".download.partial",
        f".{KEY}.0badf00d.partial.partial",
        f".{KEY}.partial",
        ".shop-eu-2025-11-08-01-00-00.zip.0badf00d.partial",
        KEY,
        "mine.txt",
        "notes.partial",
    ]
    for name in (ours, f".{KEY}.sha256.0badf00d.partial", *theirs):
        (local.path / name).touch()
    (local.path / f".{KEY}.feedbeef.partial").mkdir()
    (local.path / f".{KEY}.deadbeef.partial").symlink_to("mine.txt")
    assert local.sweep(TOMORROW - timedelta(days=2)) == []
    left = (ours, f".{KEY}.sha256.0badf00d.partial")
    assert local.gauges(TOMORROW).leftovers == left
    assert local.sweep(TOMORROW) == list(left)
    assert local.gauges(TOMORROW).leftovers == ()
    stay = [*theirs, f".{KEY}.feedbeef.partial", f".{KEY}.deadbeef.partial"]
    assert sorted(os.listdir(local.path)) == sorted(stay)


def test_links_and_folders_in_the_directory_are_no_objects(
    local: LocalDirectory, tmp_path: Path
) -> None:
    local.path.mkdir()
    (local.path / "shop-folder").mkdir()
    (local.path / "shop-link").symlink_to(tmp_path)
    assert list(local.list("shop-")) == []


def test_a_directory_that_held_backups_is_not_made_anew(
    local: LocalDirectory, tmp_path: Path
) -> None:
    """Its disk may not be mounted; whoever took it away can make it."""
    (tmp_path / "given").write_bytes(b"content")
    unmounted = replace(local, held=True)
    for ask in (
        lambda: unmounted.store("shop-1.zip", tmp_path / "given", on_progress=lambda _: None),
        lambda: list(unmounted.list("shop-")),
        lambda: list(unmounted.read("shop-1.zip")),
    ):
        with pytest.raises(DestinationError, match=r"held backups, and .* is gone") as raised:
            ask()
        assert f"mkdir -m 700 {local.path}" in raised.value.hint
    assert not local.path.exists()
    local.path.mkdir()
    assert list(unmounted.list("shop-")) == []


def test_a_full_file_system_is_said_to_be_full(elsewhere: Path, tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(b"content")
    full = LocalDirectory(name="full", path=Path("/dev/full/backups"))
    with pytest.raises(DestinationError, match="'full'") as raised:
        full.store("shop-1.zip", tmp_path / "given", on_progress=lambda _: None)
    assert "mounted" in raised.value.hint


def test_the_place_of_a_file_system_that_is_not_mounted_is_not_filled(
    tmp_path: Path,
) -> None:
    (tmp_path / "given").write_bytes(b"content")
    unmounted = LocalDirectory(name="usb", path=tmp_path / "usb" / "backups")
    with pytest.raises(DestinationError, match="is not there") as raised:
        unmounted.store("shop-1.zip", tmp_path / "given", on_progress=lambda _: None)
    assert "Mount" in raised.value.hint
    assert not (tmp_path / "usb").exists()


def test_where_no_file_system_is_mounted_there_is_no_empty_destination(tmp_path: Path) -> None:
    unmounted = LocalDirectory(name="usb", path=tmp_path / "usb" / "backups")
    with pytest.raises(DestinationError, match="is not there"):
        list(unmounted.list(""))
    (tmp_path / "usb").mkdir()
    assert list(unmounted.list("")) == []
