import os
from pathlib import Path

import pytest

from backupd.ownership import hand_back

NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def owner(path: Path) -> int:
    return path.lstat().st_uid


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "state"
    (base / "shop" / "spool").mkdir(parents=True)
    (base / "shop" / "lock").touch()
    return base


def test_what_root_made_goes_to_the_owner_of_the_directory(base: Path) -> None:
    os.chown(base, NOBODY, NOBODY)
    hand_back(base)
    assert {owner(path) for path in base.rglob("*")} == {NOBODY}


def test_in_roots_own_directory_nothing_changes(base: Path) -> None:
    hand_back(base)
    assert {owner(path) for path in base.rglob("*")} == {0}


def test_a_link_to_a_file_of_roots_is_not_given_away(base: Path, tmp_path: Path) -> None:
    secret = tmp_path / "shadow"
    secret.touch()
    (base / "hard").hardlink_to(secret)
    (base / "soft").symlink_to(secret)
    os.chown(base, NOBODY, NOBODY)
    hand_back(base)
    assert owner(secret) == 0


def test_a_directory_that_is_not_there_is_no_mistake(tmp_path: Path) -> None:
    hand_back(tmp_path / "nothing")
