"""What is worth telling: problems at once, their end once, the rest once a week."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from backupd.errors import DumpError, Interrupted
from backupd.events import OperationEnded, OperationFailed
from backupd.model import Outcome
from backupd.telling.accounts import Account, account_of
from backupd.telling.notices import Memory, Notice, Policy, Topic, decide
from backupd.telling.problems import Cause, Problem
from fakes.accounts import MOMENT, backed_up, ended, failed

DAY = timedelta(days=1)
NIGHTLY = Policy(repeat=timedelta(days=7))


def told(
    events: Iterable[OperationEnded | OperationFailed], policy: Policy = NIGHTLY
) -> list[Notice]:
    """Give all that is told of operations that follow each other."""
    return list(_told(events, policy))


def _told(events: Iterable[OperationEnded | OperationFailed], policy: Policy) -> Iterator[Notice]:
    memory = Memory()
    for event in events:
        account = account_of(event)
        if account is not None:
            decision = decide(account, memory, policy)
            memory = decision.memory
            yield from decision.notices


def account_of_ended(event: OperationEnded) -> Account:
    account = account_of(event)
    assert account is not None
    return account


def topics(notices: Sequence[Notice]) -> list[Topic]:
    return [notice.topic for notice in notices]


def nights(count: int, bad: Sequence[int] = ()) -> list[OperationEnded]:
    """Make so many nights; on the bad ones (from 0) `offsite` is down."""
    return [
        backed_up(MOMENT + night * DAY, down=["offsite"] if night in bad else [])
        for night in range(count)
    ]


def test_thirty_good_nights_are_told_five_times() -> None:
    notices = told(nights(30))
    assert topics(notices) == [Topic.BACKUP_SUCCEEDED, *[Topic.DIGEST] * 4]


def test_a_destination_that_is_dead_for_five_nights_is_told_twice() -> None:
    notices = told(nights(9, bad=range(1, 6)))
    assert topics(notices)[1:] == [Topic.BACKUP_PARTIAL, Topic.RECOVERED, Topic.DIGEST]
    (recovered,) = (each for each in notices if each.topic is Topic.RECOVERED)
    assert recovered.account.at - recovered.since >= 5 * DAY
    assert recovered.problems[0].problem.place == "offsite"


def test_a_problem_that_stays_is_told_again_after_the_days_that_are_set() -> None:
    notices = told(nights(7, bad=range(1, 6)), Policy(repeat=timedelta(days=3)))
    assert topics(notices)[1:] == [Topic.BACKUP_PARTIAL, Topic.BACKUP_PARTIAL, Topic.RECOVERED]
    first, again, _ = notices[1:]
    assert again.account.at - first.account.at == 3 * DAY
    assert again.since == first.since


def test_a_problem_is_never_told_again_if_that_is_set() -> None:
    notices = told(nights(40, bad=range(1, 40)), Policy(repeat=timedelta(0)))
    assert topics(notices) == [Topic.BACKUP_SUCCEEDED, Topic.BACKUP_PARTIAL]


def test_what_began_when_nobody_listened_is_told_as_soon_as_somebody_does() -> None:
    """Of the nights before, nobody is told that they were good, or that what was bad is over."""
    deaf = Policy(heard=frozenset())
    bad_nights, memory = nights(3, bad=[1, 2]), Memory()
    for event in bad_nights:
        decision = decide(account_of_ended(event), memory, deaf)
        memory = decision.memory
        assert decision.notices == ()
    listening = decide(account_of_ended(nights(4, bad=[3])[3]), memory, NIGHTLY)
    assert topics(listening.notices) == [Topic.BACKUP_PARTIAL]
    assert listening.notices[0].since < MOMENT + 2 * DAY
    good_again = decide(account_of_ended(nights(4)[3]), memory, NIGHTLY)
    assert topics(good_again.notices) == [Topic.BACKUP_SUCCEEDED]


def test_the_digest_comes_though_single_successes_are_not_heard() -> None:
    policy = Policy(heard=frozenset(Topic) - {Topic.BACKUP_SUCCEEDED})
    assert Topic.DIGEST in topics(told(nights(9), policy))


def test_every_operation_is_told_if_that_is_set() -> None:
    events = [*nights(3, bad=[1]), ended(MOMENT + 3 * DAY, "clean"), ended(MOMENT, "monitor")]
    assert topics(told(events, Policy(every=True))) == [
        Topic.BACKUP_SUCCEEDED,
        Topic.BACKUP_PARTIAL,
        Topic.RECOVERED,
        Topic.BACKUP_SUCCEEDED,
        Topic.CLEAN_SUCCEEDED,
        Topic.HEALTHY,
    ]


def test_a_failed_dump_is_told_with_its_hint_and_ends_with_the_next_backup() -> None:
    notices = told([failed(DumpError("The dump failed.", hint="Look.")), *nights(2)[1:]])
    assert topics(notices) == [Topic.BACKUP_FAILED, Topic.RECOVERED]
    assert notices[0].problems[0].problem.text == "The dump failed."
    assert notices[0].problems[0].problem.hint == "Look."


def test_a_bug_is_told_without_its_text() -> None:
    (notice,) = told([failed(KeyError("secret"))])
    assert notice.problems[0].problem.text == "A bug in backupd stopped it (KeyError)."


def test_whoever_stops_a_backup_is_not_told_so() -> None:
    assert told([failed(Interrupted("It was asked to stop."))]) == []


def test_a_restore_is_told_to_nobody() -> None:
    assert told([ended(operation="restore", outcome=Outcome.FAILED)]) == []


def test_no_copy_anywhere_is_a_failed_backup() -> None:
    notices = told([backed_up(down=["local", "offsite"])])
    assert topics(notices) == [Topic.BACKUP_FAILED]
    assert len(notices[0].problems) == 2


def test_a_second_problem_is_told_although_the_first_is_known_and_names_that_too() -> None:
    events = [
        backed_up(MOMENT, down=["offsite"]),
        backed_up(MOMENT + DAY, down=["local", "offsite"]),
        backed_up(MOMENT + 2 * DAY, down=["offsite"]),
    ]
    first, second, recovered = told(events)
    assert [each.problem.place for each in second.problems] == ["local"]
    assert [each.problem.place for each in second.standing] == ["offsite"]
    assert recovered.topic is Topic.RECOVERED
    assert [each.problem.place for each in recovered.problems] == ["local"]
    assert first.standing == ()


def found(operation: str, night: int, *problems: Problem) -> Account:
    at = MOMENT + night * DAY
    return Account(
        run_id=f"{operation}-{night}",
        operation=operation,
        started_at=at,
        at=at,
        outcome=Outcome.FAILED if problems else Outcome.SUCCEEDED,
        problems=problems,
        checked=("copy:offsite", "backup:*") if operation == "backup" else (operation,),
    )


NOT_DELIVERED = Problem(key="copy:offsite", place="offsite", cause=Cause.DOWN, text="It is down.")
NOT_CLEANED = Problem(
    key="clean:offsite:unreachable", place="offsite", cause=Cause.DOWN, text="It is down."
)
TOO_OLD = Problem(key="monitor:offsite:age", place="offsite", cause=Cause.STALE, text="Too old.")
TOO_LARGE = Problem(key="monitor:offsite:size", place="offsite", text="Too large.")
BROKEN = Problem(key="backup:*", cause=Cause.BROKEN, text="The dump failed.")


def told_of(accounts: Iterable[Account]) -> list[Notice]:
    memory = Memory(digest_at=MOMENT)
    notices: list[Notice] = []
    for account in accounts:
        decision = decide(account, memory, NIGHTLY)
        memory = decision.memory
        notices += decision.notices
    return notices


def test_one_dead_destination_is_told_once_although_three_operations_see_it() -> None:
    nights = [
        [
            found("backup", n, NOT_DELIVERED),
            found("clean", n, NOT_CLEANED),
            found("monitor", n, TOO_OLD),
        ]
        for n in range(5)
    ]
    good = [found("backup", 5), found("clean", 5), found("monitor", 5)]
    notices = told_of([*(each for night in nights for each in night), *good])
    assert topics(notices) == [Topic.BACKUP_FAILED, Topic.RECOVERED]


def test_what_only_followed_is_told_if_it_stays_when_its_root_is_gone() -> None:
    notices = told_of(
        [
            found("backup", 0, NOT_DELIVERED),
            found("monitor", 0, TOO_OLD),
            found("backup", 1),
            found("monitor", 1, TOO_OLD),
        ]
    )
    assert topics(notices) == [Topic.BACKUP_FAILED, Topic.RECOVERED, Topic.UNHEALTHY]


def test_a_matter_of_its_own_is_told_although_the_destination_is_down() -> None:
    notices = told_of([found("backup", 0, NOT_DELIVERED), found("monitor", 0, TOO_LARGE, TOO_OLD)])
    assert [each.problem for each in notices[1].problems] == [TOO_LARGE]


def test_backups_that_grow_old_because_none_is_taken_are_not_told_besides() -> None:
    notices = told_of([found("backup", 0, BROKEN), found("monitor", 1, TOO_OLD)])
    assert topics(notices) == [Topic.BACKUP_FAILED]


def test_a_problem_that_is_not_looked_at_any_more_is_forgotten_in_silence() -> None:
    other = Problem(key="copy:gone", place="gone", cause=Cause.DOWN, text="It is down.")
    memory = decide(found("backup", 0, other), Memory(), NIGHTLY).memory
    decision = decide(found("backup", 90), memory, NIGHTLY)
    assert decision.memory.problems == {}
    assert Topic.RECOVERED not in topics(decision.notices)


operations = st.lists(
    st.tuples(
        st.sampled_from(["backup", "clean", "monitor"]),
        st.sets(st.sampled_from([NOT_DELIVERED, NOT_CLEANED, TOO_OLD, TOO_LARGE, BROKEN])),
    ),
    max_size=40,
)


def own(operation: str, problems: Iterable[Problem]) -> list[Problem]:
    begins = ("copy", "backup") if operation == "backup" else (operation,)
    return [each for each in problems if each.key.startswith(begins)]


@given(operations)
def test_each_end_is_told_after_its_beginning_and_no_beginning_twice_in_between(
    runs: list[tuple[str, set[Problem]]],
) -> None:
    told_now: set[str] = set()
    accounts = [found(operation, 0, *own(operation, bad)) for operation, bad in runs]
    for notice in told_of(accounts):
        keys = {each.problem.key for each in notice.problems}
        if notice.topic is Topic.RECOVERED:
            assert keys <= told_now
            told_now -= keys
        else:
            assert not keys & told_now
            told_now |= keys


@given(operations)
def test_a_known_problem_at_a_place_or_everywhere_always_explains_one_that_is_not_told(
    runs: list[tuple[str, set[Problem]]],
) -> None:
    memory = Memory(digest_at=MOMENT)
    for operation, bad in runs:
        account = found(operation, 0, *own(operation, bad))
        memory = decide(account, memory, NIGHTLY).memory
        known = [each for each in memory.problems.values() if each.told_at is not None]
        for problem in account.problems:
            assert memory.problems[problem.key].told_at is not None or any(
                each.problem.cause in {Cause.DOWN, Cause.BROKEN} for each in known
            )


def test_what_was_wrong_with_an_archive_is_over_when_it_is_gone() -> None:
    damaged = Problem(key="verify:offsite:shop-1.zip", place="offsite", text="It is damaged.")
    verified = replace(account_of_ended(ended(operation="verify")), problems=(damaged,))
    known = decide(verified, Memory(), NIGHTLY).memory
    clean = account_of_ended(ended(MOMENT + DAY))
    for holding in ({}, {"local": frozenset[str]()}, {"offsite": frozenset({"shop-1.zip"})}):
        assert decide(replace(clean, holding=holding), known, NIGHTLY).memory.problems
    after = decide(replace(clean, holding={"offsite": frozenset({"shop-2.zip"})}), known, NIGHTLY)
    assert after.memory.problems == {}
    assert topics(after.notices) == [Topic.RECOVERED]


def test_what_a_backup_lacks_is_told_by_the_backup_and_not_by_monitor_besides() -> None:
    lacking = Problem(key="backup:left-out", text="Not in the archive: .env.")
    backup = replace(account_of_ended(ended(operation="backup")), problems=(lacking,))
    found = Problem(key="monitor:local/shop:left-out", place="local", text="It lacks .env.")
    monitored = replace(account_of_ended(ended(operation="monitor")), problems=(found,))
    known = decide(backup, Memory(), NIGHTLY).memory
    assert decide(monitored, known, NIGHTLY).notices == ()
    assert topics(decide(monitored, Memory(), NIGHTLY).notices) == [Topic.UNHEALTHY]
