"""`backupd clean`, `pin` and `unpin` as their user meets them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backupd.naming import archive_name, checksum_key
from conftest import Program, names
from fakes.nights import whole_zip


@pytest.fixture
def nights(program: Program) -> list[str]:
    """Twelve nights of backups, the newest first."""
    program.backups.mkdir(mode=0o700)
    now = datetime.now(UTC)
    keys = [archive_name("shop", now - timedelta(days=n, hours=1), UTC) for n in range(12)]
    for key in keys:
        (program.backups / key).write_bytes(whole_zip())
        (program.backups / checksum_key(key)).touch()
    program.set(RETENTION__KEEP_DAILY_DAYS="0", RETENTION__KEEP_WEEKLY_WEEKS="0")
    program.set(RETENTION__KEEP_MONTHLY_MONTHS="0", RETENTION__KEEP_YEARLY_YEARS="0")
    return keys


def there(program: Program) -> list[str]:
    return names(program.backups)[::-1]


def test_it_removes_what_the_policy_does_not_keep_and_says_why(
    program: Program, nights: list[str]
) -> None:
    done = program("clean")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("here: 5 backups removed (")
    assert f"  {nights[-1]}" in done.out
    assert "older than" in done.out
    assert there(program) == nights[:7]
    assert names(program.backups, [".sha256"])[::-1] == list(map(checksum_key, nights[:7]))
    assert program("clean").out == "here: nothing to remove, 7 backups kept\n"


def test_a_dry_run_prints_the_plan_and_removes_nothing(program: Program, nights: list[str]) -> None:
    done = program("clean", "--dry-run")
    assert done.code == 0
    assert done.out.startswith("here: 7 would stay")
    assert done.out.count("✗ older than") == 5
    assert max(map(len, done.out.splitlines())) <= 80
    assert there(program) == nights


def test_keep_leaves_only_so_many_and_what_is_pinned(program: Program, nights: list[str]) -> None:
    assert program("pin", nights[9]).out == f"here: {nights[9]} is pinned\n"
    assert program("clean", "--keep", "3").code == 0
    assert there(program) == [*nights[:3], nights[9]]
    assert program("unpin", nights[9]).out == f"here: {nights[9]} is no longer pinned\n"
    program("clean", "--keep", "3")
    assert there(program) == nights[:3]


def test_keeping_fewer_than_the_settings_allow_is_refused_with_the_way_round(
    program: Program, nights: list[str]
) -> None:
    done = program("clean", "--keep", "1")
    assert done.code == 1
    assert "BACKUP_RETENTION__KEEP_AT_LEAST=1 backupd clean --keep 1" in done.err
    assert there(program) == nights
    assert program("clean", "--keep", "0").code == 2


def test_what_looks_like_an_accident_is_refused_until_it_is_allowed_once(
    program: Program, nights: list[str]
) -> None:
    program.set(RETENTION__KEEP_ALL_DAYS="3")
    done = program("clean")
    assert done.code == 1
    assert "9 of 12 backups would go at one time" in " ".join(done.err.split())
    assert "--despite too-many" in " ".join(done.err.split())
    assert there(program) == nights
    assert program("clean", "--despite", "too-many").code == 0
    assert there(program) == nights[:3]


def test_an_empty_policy_removes_nothing(program: Program, nights: list[str]) -> None:
    program.set(RETENTION__KEEP_ALL_DAYS="0")
    assert program("clean", "--despite", "too-many").code == 1
    assert there(program) == nights


def test_one_destination_out_of_reach_is_a_partial_clean(
    program: Program, nights: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    program.set(DESTINATIONS__BROKEN__TYPE="local")
    program.set(DESTINATIONS__BROKEN__PATH=str(tmp_path / "file"))
    done = program("clean")
    assert done.code == 3
    assert there(program) == nights[:7]
    assert "broken: " in done.err


def test_the_json_names_every_backup_with_its_verdict(program: Program, nights: list[str]) -> None:
    document = json.loads(program("clean", "--json").out)
    assert (document["outcome"], document["dry_run"]) == ("succeeded", False)
    (here,) = document["destinations"]
    assert [each["backup"] for each in here["backups"]] == nights
    assert [each["removed"] for each in here["backups"]] == [False] * 7 + [True] * 5
    assert here["backups"][0]["rule"] == "newest"


def test_pinning_what_is_not_there_says_so(program: Program) -> None:
    done = program("pin", "shop-2020-01-01-00-00-00")
    assert done.code == 1
    assert "There is no backup named shop-2020-01-01-00-00-00.zip" in done.err


def test_a_dry_run_is_no_clean_in_the_history(program: Program, nights: list[str]) -> None:
    from backupd.history import History  # noqa: PLC0415

    program("clean", "--dry-run")
    history = History(program.state / "shop" / "history.sqlite")
    assert history.last_success("clean") is None
    program("clean")
    assert history.last_success("clean") is not None
