import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from backupd.catalog import Catalog
from backupd.caution import Circumstances, Refusal
from backupd.destinations.local import LocalDirectory
from backupd.errors import DestinationError
from backupd.events import BackupRemoved
from backupd.model import Outcome, Scope
from backupd.naming import checksum_key, pin_key, scope_key
from backupd.operations.clean import Clean, pretend
from backupd.ports import Destination
from backupd.retention import Policy
from fakes.clock import WoundClock
from fakes.destinations import FailingDestination, MemoryDestination, RefusingDestination
from fakes.listening import Listener, deaf
from fakes.nights import put_nightly, whole_zip

CLOCK = WoundClock()
NOW = CLOCK.now()
WEEK = Policy(
    zone=UTC, keep_daily_days=0, keep_weekly_weeks=0, keep_monthly_months=0, keep_yearly_years=0
)


def clean(*destinations: Destination, policy: Policy = WEEK) -> Clean:
    return Clean(
        catalogs=[Catalog(destination=each, set_name="shop", zone=UTC) for each in destinations],
        policy=policy,
        clock=CLOCK,
        circumstances=Circumstances(now=NOW),
    )


@pytest.fixture
def memory() -> MemoryDestination:
    return MemoryDestination()


def archives(memory: MemoryDestination) -> list[str]:
    return sorted((key for key in memory.objects if key.endswith(".zip")), reverse=True)


def test_what_the_policy_does_not_keep_goes_with_its_checksum(memory: MemoryDestination) -> None:
    keys = put_nightly(memory, NOW, 10)
    report = clean(memory).run(deaf)
    assert report.outcome is Outcome.SUCCEEDED
    assert archives(memory) == keys[:7]
    assert sorted(memory.objects) == sorted([*keys[:7], *map(checksum_key, keys[:7])])
    assert [verdict.backup.key for verdict in report.destinations[0].removed] == keys[7:]


def test_every_removal_is_announced_with_its_reason(memory: MemoryDestination) -> None:
    keys, listener = put_nightly(memory, NOW, 9), Listener()
    clean(memory).run(listener)
    announced = listener.of(BackupRemoved)
    assert [event.backup.key for event in announced] == keys[7:]
    assert {event.reason for event in announced} == {"older than 2025-11-01"}


def test_a_dry_run_makes_the_same_plan_and_removes_nothing(memory: MemoryDestination) -> None:
    put_nightly(memory, NOW, 10)
    before = dict(memory.objects)
    dry = replace(clean(memory), remove=pretend).run(deaf)
    assert memory.objects == before
    assert dry == clean(memory).run(deaf)


def test_other_sets_and_foreign_files_are_left_alone(memory: MemoryDestination) -> None:
    put_nightly(memory, NOW, 10)
    others = put_nightly(memory, NOW, 10, set_name="shop-eu")
    memory.objects |= {"notes.txt": b"", "shop-2019.zip": b"", "shop-notes.zip.sha256": b""}
    report = clean(memory).run(deaf)
    assert {*others, "notes.txt", "shop-2019.zip", "shop-notes.zip.sha256"} <= set(memory.objects)
    assert report.destinations[0].foreign == 22


def test_a_refused_plan_removes_nothing_and_one_that_is_allowed_once_does(
    memory: MemoryDestination,
) -> None:
    put_nightly(memory, NOW, 20)
    report = clean(memory).run(deaf)
    assert report.outcome is Outcome.FAILED
    assert [each.refusal for each in report.destinations[0].objections] == [Refusal.TOO_MANY]
    assert len(archives(memory)) == 20
    allowed = replace(clean(memory), despite=frozenset({Refusal.TOO_MANY}))
    assert allowed.run(deaf).outcome is Outcome.SUCCEEDED
    assert len(archives(memory)) == 7


def test_one_destination_that_is_down_does_not_stop_the_others(memory: MemoryDestination) -> None:
    put_nightly(memory, NOW, 9)
    down = FailingDestination(MemoryDestination("down"))
    report = clean(down, memory).run(deaf)
    assert report.outcome is Outcome.PARTIAL
    assert report.destinations[0].error == "'down' is down."
    assert len(archives(memory)) == 7


def test_when_all_are_down_it_failed() -> None:
    assert clean(FailingDestination(MemoryDestination())).run(deaf).outcome is Outcome.FAILED


@pytest.mark.parametrize("why", ["Permission denied.", "Locked until 2026."])
def test_a_backup_that_may_not_be_deleted_is_reported_and_the_others_go(
    memory: MemoryDestination, why: str
) -> None:
    keys = put_nightly(memory, NOW, 11)
    error = DestinationError(why, hint="Ask for it.")
    refusing = RefusingDestination(memory, {keys[8]: error})
    report = clean(refusing).run(deaf)
    assert report.outcome is Outcome.PARTIAL
    (failed,) = report.destinations[0].failed
    assert (failed.backup.key, failed.error, failed.hint) == (keys[8], why, "Ask for it.")
    assert archives(memory) == [*keys[:7], keys[8]]
    assert checksum_key(keys[8]) in memory.objects, "what stays keeps its checksum"


def test_nothing_loops_when_nothing_can_be_deleted(memory: MemoryDestination) -> None:
    keys = put_nightly(memory, NOW, 11)
    refusing = RefusingDestination(memory, dict.fromkeys(memory.objects, DestinationError("No.")))
    report = clean(refusing).run(deaf)
    assert [failed.backup.key for failed in report.destinations[0].failed] == keys[7:]
    assert [list(asked) for asked in refusing.asked] == [keys[7:]]


def test_all_that_goes_is_asked_for_in_two_requests(memory: MemoryDestination) -> None:
    keys = put_nightly(memory, NOW, 13)
    refusing = RefusingDestination(memory, {})
    clean(refusing).run(deaf)
    assert refusing.asked == [keys[7:], [checksum_key(key) for key in keys[7:]]]


@pytest.mark.parametrize("nth", range(1, 7))
def test_wherever_the_destination_breaks_off_nothing_that_should_stay_is_lost(
    memory: MemoryDestination, nth: int
) -> None:
    keys = put_nightly(memory, NOW, 10)
    report = clean(FailingDestination(memory, at=nth)).run(deaf)
    assert archives(memory)[:7] == keys[:7]
    reported = [verdict.backup.key for verdict in report.destinations[0].removed]
    assert not set(reported) & set(memory.objects)
    clean(memory).run(deaf)
    assert archives(memory) == keys[:7]


def test_files_that_vanish_between_listing_and_removal_are_no_failure(
    memory: MemoryDestination,
) -> None:
    keys = put_nightly(memory, NOW, 10)

    def vanished_first(
        destination: Destination, asked: Sequence[str]
    ) -> dict[str, DestinationError]:
        memory.objects.pop(keys[8], None)
        return dict(destination.delete(asked))

    report = replace(clean(memory), remove=vanished_first).run(deaf)
    assert report.outcome is Outcome.SUCCEEDED
    assert archives(memory) == keys[:7]


def test_a_file_that_the_system_does_not_let_go_of_is_reported(tmp_path: Path) -> None:
    memory = MemoryDestination()
    keys = put_nightly(memory, NOW, 9)
    for key, content in memory.objects.items():
        (tmp_path / key).write_bytes(content)
    stuck = tmp_path / keys[8]
    if subprocess.run(["chattr", "+i", stuck], check=False, capture_output=True).returncode:
        pytest.skip("this file system has no immutable files, or the tests do not run as root")
    try:
        report = clean(LocalDirectory(name="local", path=tmp_path)).run(deaf)
    finally:
        subprocess.run(["chattr", "-i", stuck], check=True)
    assert report.outcome is Outcome.PARTIAL
    (failed,) = report.destinations[0].failed
    assert "Operation not permitted" in failed.error
    assert not (tmp_path / keys[7]).exists()
    assert stuck.exists()


def test_a_cut_archive_is_not_taken_for_the_newest_good_one(memory: MemoryDestination) -> None:
    keys = put_nightly(memory, NOW, 5)
    memory.objects[keys[0]] = whole_zip()[:100]
    report = clean(memory, policy=WEEK.only_newest(1)).run(deaf)
    assert report.destinations[0].objections, "an empty policy"
    allowed = replace(
        clean(memory, policy=WEEK.only_newest(1)),
        despite=frozenset({Refusal.EMPTY_POLICY, Refusal.TOO_MANY}),
    )
    allowed.run(deaf)
    assert archives(memory) == [keys[1]]


def test_three_cut_archives_in_a_row_are_a_reason_to_remove_nothing(
    memory: MemoryDestination,
) -> None:
    keys = put_nightly(memory, NOW, 9)
    for key in keys[:3]:
        memory.objects[key] = b""
    (cleaning,) = clean(memory).run(deaf).destinations
    assert [each.refusal for each in cleaning.objections] == [Refusal.FAILING_BACKUPS]
    assert archives(memory) == keys


def test_a_pinned_backup_stays(memory: MemoryDestination) -> None:
    keys = put_nightly(memory, NOW, 10)
    memory.objects[pin_key(keys[9])] = b""
    clean(memory).run(deaf)
    assert archives(memory) == [*keys[:7], keys[9]]


def test_a_partial_scope_counts_by_itself_on_any_machine(memory: MemoryDestination) -> None:
    keys = put_nightly(memory, NOW, 10)
    for key in keys[:3]:
        memory.objects[scope_key(key, Scope.ONLY_DB)] = b""
    policy = replace(WEEK, keep_all_days=1)
    allowed = replace(clean(memory, policy=policy), despite=frozenset({Refusal.TOO_MANY}))
    allowed.run(deaf)
    assert archives(memory) == keys[:6]


def test_marks_of_archives_that_are_gone_are_swept_after_a_week(memory: MemoryDestination) -> None:
    put_nightly(memory, NOW, 3)
    orphan = pin_key("shop-2019-01-01-00-00-00.zip")
    memory.objects[orphan] = b""
    clean(memory).run(deaf)
    assert orphan not in memory.objects


def test_marks_stored_before_their_archive_are_not_swept(memory: MemoryDestination) -> None:
    orphan = pin_key("shop-2025-01-01-00-00-00.zip")
    memory.objects[orphan] = b""
    (stored,) = memory.list(orphan)
    soon_after = WoundClock(stored.modified_at + timedelta(days=6))
    replace(clean(memory), clock=soon_after).run(deaf)
    assert orphan in memory.objects
