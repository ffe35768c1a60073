"""With the real program, over archives that are files of the right names."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from backupd.daemon.forecast import removals, warn_of_removals
from backupd.settings import Loaded, load_settings
from fakes.bench import Bench


@pytest.fixture
def kept(bench: Bench) -> Path:
    """Twelve backups, two on each of the last six days."""
    folder = bench.folder / "backups"
    folder.mkdir()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0)
    for number in range(2, 14):
        taken = today - timedelta(hours=12 * number)
        (folder / f"shop-{taken:%Y-%m-%d-%H-%M-%S}.zip").write_bytes(b"PK" * 100)
    return folder


def loaded(bench: Bench, keep_all_days: int) -> Loaded:
    bench.set(RETENTION__KEEP_ALL_DAYS=str(keep_all_days))
    return load_settings(bench.environment)


@pytest.mark.usefixtures("kept")
def test_an_edit_that_removes_more_is_warned_about_with_the_count(bench: Bench) -> None:
    generous, strict = loaded(bench, 30), loaded(bench, 0)
    with structlog.testing.capture_logs() as lines:
        thread = warn_of_removals(generous, strict, bench.environment)
        assert thread is not None
        thread.join()
    (line,) = [each for each in lines if each["log_level"] == "warning"]
    would_go = removals(strict.values, bench.environment)
    assert would_go is not None
    assert would_go > 0
    assert (
        f"would remove {would_go} backups at the next clean, the one before it 0" in line["event"]
    )


@pytest.mark.usefixtures("kept")
def test_an_edit_that_removes_less_is_no_warning(bench: Bench) -> None:
    strict, generous = loaded(bench, 0), loaded(bench, 30)
    with structlog.testing.capture_logs() as lines:
        thread = warn_of_removals(strict, generous, bench.environment)
        assert thread is not None
        thread.join()
    assert lines == []


def test_an_edit_of_anything_else_plans_nothing(bench: Bench) -> None:
    before = loaded(bench, 7)
    bench.set(SCHEDULE__BACKUP="05:00")
    assert warn_of_removals(before, load_settings(bench.environment), bench.environment) is None
