from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupd.cron import due_between, parse_schedule
from backupd.daemon.schedule import OPERATIONS, Agenda, Past, Timetable, Wanted, agenda, believed

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
NIGHTLY = {"backup": "01:00", "clean": "02:00", "monitor": "03:00", "drill": "0 4 1 * *"}


def at(hour: int, minute: int = 0, day: int = 0) -> datetime:
    """Give a moment of the day that these tests play on, or so many days later."""
    return MIDNIGHT + timedelta(days=day, hours=hour, minutes=minute)


def timetable(
    lines: Mapping[str, str] = NIGHTLY, *, catch_up: bool = True, jitter: float = 0
) -> Timetable:
    return Timetable(
        lines={name: parse_schedule(text) for name, text in {**NIGHTLY, **lines}.items()},
        zone=UTC,
        catch_up=catch_up,
        jitter=timedelta(minutes=jitter),
        seed="host shop",
    )


def settled(moment: datetime, **operations: Past) -> dict[str, Past]:
    return {name: Past(settled=moment) for name in OPERATIONS} | operations


def names(decided: Agenda) -> list[str]:
    return [wanted.operation for wanted in decided.wanted]


def test_before_its_time_nothing_is_wanted() -> None:
    decided = agenda(timetable(), settled(at(0)), at(0), at(0, 59))
    assert decided == Agenda(wanted=(), missed=())


def test_at_its_time_an_operation_is_wanted() -> None:
    decided = agenda(timetable(), settled(at(0)), at(0), at(1))
    assert decided.wanted == (Wanted(operation="backup", due=at(1), not_before=at(1), late=False),)


def test_what_is_settled_is_not_wanted_again() -> None:
    assert names(agenda(timetable(), settled(at(1)), at(0), at(1, 59))) == []


def test_operations_wait_behind_a_long_one_in_the_order_of_their_due_times() -> None:
    """A backup of three hours: clean and monitor were due meanwhile, and nobody slept."""
    past = settled(at(0), backup=Past(settled=at(1)))
    decided = agenda(timetable(), past, at(0), at(4))
    assert names(decided) == ["clean", "monitor"]
    assert decided.missed == ()


def test_the_same_due_time_goes_by_the_order_of_operations() -> None:
    together = timetable({"clean": "01:00", "monitor": "01:00"})
    assert names(agenda(together, settled(at(0)), at(0), at(1))) == ["backup", "clean", "monitor"]


def test_a_night_without_the_machine_is_one_run_of_each_in_order() -> None:
    """Off from 00:50 to 08:00."""
    decided = agenda(timetable(), settled(at(0)), awake_since=at(8), now=at(8))
    assert names(decided) == ["backup", "clean", "monitor"]
    assert all(wanted.late for wanted in decided.wanted)
    assert decided.missed == ()


def test_many_nights_without_the_machine_are_one_run_and_the_others_are_missed() -> None:
    decided = agenda(timetable(), settled(at(0)), awake_since=at(8, day=4), now=at(8, day=4))
    assert names(decided) == ["backup", "clean", "monitor"]
    assert decided.wanted[0].due == at(1, day=4)
    backup = decided.missed[0]
    assert (backup.operation, backup.count) == ("backup", 4)
    assert (backup.first, backup.last) == (at(1), at(1, day=3))


def test_a_late_backup_goes_before_a_clean_that_is_later_still() -> None:
    """On again at 01:30: clean has been due since yesterday, backup since half an hour."""
    decided = agenda(timetable(), settled(at(0, day=-1)), at(1, 28), at(1, 29))
    assert names(decided)[0] == "backup"


def test_with_the_next_run_near_a_missed_one_is_not_caught_up() -> None:
    decided = agenda(timetable(), settled(at(0)), at(0, 45, day=1), at(0, 45, day=1))
    assert "backup" not in names(decided)
    assert [each.operation for each in decided.missed] == ["backup"]


def test_without_catch_up_what_was_missed_is_noted_and_not_run() -> None:
    decided = agenda(timetable(catch_up=False), settled(at(0)), at(8), at(8))
    assert decided.wanted == ()
    assert [(each.operation, each.count) for each in decided.missed] == [
        ("backup", 1),
        ("clean", 1),
        ("monitor", 1),
    ]


def test_without_catch_up_what_waits_behind_a_long_operation_is_run() -> None:
    past = settled(at(0), backup=Past(settled=at(1)))
    decided = agenda(timetable(catch_up=False), past, at(0), at(4))
    assert names(decided) == ["clean", "monitor"]


def test_a_run_that_died_is_run_again_at_once() -> None:
    past = settled(at(0), backup=Past(settled=at(0), unfinished=[(at(1), at(1))]))
    decided = agenda(timetable(), past, at(1, 5), at(1, 5))
    assert decided.wanted[0].not_before <= at(1, 5)


@pytest.mark.parametrize(("tries", "hours"), [(2, 1), (3, 2), (4, 4), (5, 8), (9, 8)])
def test_a_crash_looping_host_tries_later_and_later(tries: int, hours: int) -> None:
    unfinished = [(at(1), at(1, number)) for number in range(tries)]
    past = settled(at(0), backup=Past(settled=at(0), unfinished=unfinished))
    decided = agenda(timetable(), past, at(1, 30), at(1, 30))
    assert decided.wanted[0].not_before == at(1, tries - 1) + timedelta(hours=hours)


def test_a_new_due_time_is_not_held_back_by_those_that_died() -> None:
    unfinished = [(at(1), at(1, number)) for number in range(9)]
    past = settled(at(0), backup=Past(settled=at(0), unfinished=unfinished))
    decided = agenda(timetable(), past, at(2), at(1, day=1))
    assert [each for each in decided.wanted if each.operation == "backup"] == [
        Wanted(operation="backup", due=at(1, day=1), not_before=at(1, day=1), late=False)
    ]


def test_jitter_is_the_same_for_the_same_due_time_and_another_for_others() -> None:
    wide = timetable(jitter=60)
    starts = [wide.start_of("backup", at(1, day=day)) - at(1, day=day) for day in range(30)]
    assert all(timedelta(0) <= delay < timedelta(hours=1) for delay in starts)
    assert len(set(starts)) == 30
    assert wide.start_of("backup", at(1)) == timetable(jitter=60).start_of("backup", at(1))


def test_a_due_time_that_jitter_let_the_next_one_overtake_is_missed_and_not_lost() -> None:
    """As on the one day of a year that has 23 hours."""
    wide = timetable({"backup": "0 * * * *"}, jitter=180)
    dues = [at(hour) for hour in range(1, 20)]
    earlier, later = next(
        pair
        for pair in pairwise(dues)
        if wide.start_of("backup", pair[0]) > wide.start_of("backup", pair[1])
    )
    now = wide.start_of("backup", later)
    decided = agenda(wide, settled(earlier - timedelta(minutes=1)), at(0), now)
    assert [wanted.due for wanted in decided.wanted if wanted.operation == "backup"] == [later]
    assert [(each.first, each.count) for each in decided.missed] == [(earlier, 1)]


def test_jitter_holds_a_run_back_until_its_moment() -> None:
    wide = timetable(jitter=60)
    start = wide.start_of("backup", at(1))
    before, after = start - timedelta(seconds=1), start
    assert names(agenda(wide, settled(at(0)), at(0), before)) == []
    assert names(agenda(wide, settled(at(0)), at(0), after)) == ["backup"]
    assert wide.next_start("backup", before) == start
    assert wide.next_start("backup", after) == wide.start_of("backup", at(1, day=1))


def test_the_past_is_believed_a_day_ahead_and_no_further() -> None:
    assert believed(at(23), at(0))
    assert not believed(at(1, day=1), at(0))


def run_all(
    lines: Timetable, looks: list[datetime]
) -> tuple[list[tuple[str, datetime]], dict[str, list[datetime]]]:
    """Play the loop: at each look, run all that is wanted at once; return runs and misses."""
    past = settled(looks[0])
    runs: list[tuple[str, datetime]] = []
    missed: dict[str, list[datetime]] = {name: [] for name in OPERATIONS}
    awake_since = last = looks[0]
    for now in looks:
        if now - last > timedelta(minutes=5):
            awake_since = now
        last = now
        decided = agenda(lines, past, awake_since, now)
        for each in decided.missed:
            missed[each.operation] += due_between(
                lines.lines[each.operation], UTC, each.first - timedelta(seconds=1), each.last
            )
            past[each.operation] = Past(settled=each.last)
        for wanted in decided.wanted:
            runs.append((wanted.operation, wanted.due))
            past[wanted.operation] = Past(settled=wanted.due)
    return runs, missed


@given(
    st.lists(
        st.one_of(
            st.timedeltas(timedelta(seconds=1), timedelta(minutes=5)),
            st.timedeltas(timedelta(minutes=5), timedelta(days=3)),
        ),
        max_size=60,
    ),
    st.booleans(),
    st.sampled_from([0, 25]),
)
def test_however_often_it_looks_each_due_time_is_run_once_or_missed_once(
    gaps: list[timedelta],
    catch_up: bool,  # noqa: FBT001  (hypothesis names it)
    jitter: float,
) -> None:
    looks = [MIDNIGHT]
    for gap in gaps:
        looks.append(looks[-1] + gap)
    lines = timetable(catch_up=catch_up, jitter=jitter)
    runs, missed = run_all(lines, looks)
    for operation in OPERATIONS:
        due = due_between(lines.lines[operation], UTC, looks[0], looks[-1])
        started = [each for each in due if lines.start_of(operation, each) <= looks[-1]]
        found = sorted([each for name, each in runs if name == operation] + missed[operation])
        assert found == started
