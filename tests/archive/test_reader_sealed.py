"""Archives whose names are hidden, made by us, and by pyzipper as two ZIPs."""

from datetime import UTC
from pathlib import Path

import pytest
import pyzipper

from backupd.archive.making import Making
from backupd.archive.restore_text import SEALED_PATH
from backupd.archive.view import ObjectView
from backupd.catalog import Catalog
from backupd.errors import DamagedError, WrongPasswordError
from backupd.model import Outcome
from backupd.operations.restore import Restore
from backupd.operations.retrieve import Reading
from backupd.operations.select import Selection
from backupd.operations.verify import Verify
from backupd.reports import RestoreReport
from fakes.archives import KEY, CountingDestination, archive_of, look, odd_tree
from fakes.clock import WoundClock
from fakes.destinations import MemoryDestination

PASSWORD = "secret"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return odd_tree(tmp_path / "tree")


@pytest.fixture(params=["backupd", "pyzipper"])
def sealed(tmp_path: Path, tree: Path, request: pytest.FixtureRequest) -> MemoryDestination:
    if request.param == "backupd":
        archive_of(tree, tmp_path, password=PASSWORD, making=Making(hide_names=True))
    else:
        seal(archive_of(tree, tmp_path / "inner").path, tmp_path / KEY)
    destination = MemoryDestination()
    destination.objects = {KEY: (tmp_path / KEY).read_bytes()}
    return destination


def seal(inner: Path, target: Path) -> None:
    options = {"encryption": pyzipper.WZ_AES, "encryption_kwargs": {"force_wz_aes_version": 2}}
    with pyzipper.AESZipFile(target, "w", **options) as outer:
        outer.setpassword(PASSWORD.encode())
        outer.write(inner, SEALED_PATH, compress_type=pyzipper.ZIP_STORED)
    with pyzipper.AESZipFile(target, "a") as outer:
        outer.writestr("RESTORE.txt", "how to")


def restore(
    target: Path,
    destination: MemoryDestination | CountingDestination,
    size: int,
    *,
    password: str = PASSWORD,
    patterns: tuple[str, ...] = (),
) -> RestoreReport:
    return Restore(
        copies=(ObjectView(destination=destination, key=KEY, size=size),),
        target=target,
        selection=Selection(patterns=patterns),
        reading=Reading(password=password, zone=UTC),
    ).run(lambda _: None)


def verify(destination: MemoryDestination, percent: int = 100) -> Verify:
    return Verify(
        catalogs=(Catalog(destination=destination, set_name="shop", zone=UTC),),
        reading=Reading(password="secret", zone=UTC),
        clock=WoundClock(),
        percent=percent,
    )


def test_it_restores_as_any_other(tmp_path: Path, tree: Path, sealed: MemoryDestination) -> None:
    restore(tmp_path / "out", sealed, len(sealed.objects[KEY]))
    assert look(tmp_path / "out") == look(tree)


def test_one_file_costs_the_directory_and_its_own_bytes(
    tmp_path: Path, tree: Path, sealed: MemoryDestination
) -> None:
    counting = CountingDestination(sealed)
    restore(tmp_path / "out", counting, len(sealed.objects[KEY]), patterns=("f3.php",))
    assert (tmp_path / "out/app/d3/f3.php").read_bytes() == (tree / "app/d3/f3.php").read_bytes()
    assert counting.bytes < 500_000


def test_a_wrong_password_is_noticed_before_anything_is_written(
    tmp_path: Path, sealed: MemoryDestination
) -> None:
    with pytest.raises(WrongPasswordError):
        restore(tmp_path / "out", sealed, len(sealed.objects[KEY]), password="wrong")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("percent", [100, 1])
def test_it_is_verified_as_any_other(sealed: MemoryDestination, percent: int) -> None:
    assert verify(sealed, percent).run(lambda _: None).outcome is Outcome.SUCCEEDED


def test_every_flipped_byte_is_noticed(sealed: MemoryDestination) -> None:
    whole = sealed.objects[KEY]
    for place in range(30, len(whole), len(whole) // 25):
        flipped = bytearray(whole)
        flipped[place] ^= 4
        sealed.objects[KEY] = bytes(flipped)
        assert verify(sealed).run(lambda _: None).outcome is Outcome.FAILED


def test_one_cut_short_is_damaged(tmp_path: Path, sealed: MemoryDestination) -> None:
    whole = sealed.objects[KEY]
    for percent in range(0, 100, 7):
        sealed.objects[KEY] = whole[: len(whole) * percent // 100]
        with pytest.raises(DamagedError):
            restore(tmp_path / "out", sealed, len(sealed.objects[KEY]))
