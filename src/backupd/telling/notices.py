"""What is worth telling people: problems when they begin and when they end, the rest once a week.

`decide` is a function of what happened, what was told before, and the policy. A problem that
follows from one that was told already (a destination is down, and so its newest backup is too
old) is not told; if it stays when the other has ended, it is told then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from backupd.events import OperationStarted
from backupd.model import Outcome
from backupd.telling.accounts import Account
from backupd.telling.problems import Cause, Problem

_WEEK = timedelta(days=7)
_SLACK = timedelta(hours=6)
"""A run that begins a little earlier than last week's or last night's counts all the same."""
_FORGET = timedelta(days=60)


class Topic(StrEnum):
    """What a notice is about; each can be sent to channels of its own."""

    BACKUP_SUCCEEDED = "backup_succeeded"
    BACKUP_PARTIAL = "backup_partial"
    BACKUP_FAILED = "backup_failed"
    CLEAN_SUCCEEDED = "clean_succeeded"
    CLEAN_FAILED = "clean_failed"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    DRILL_PASSED = "drill_passed"
    DRILL_FAILED = "drill_failed"
    RECOVERED = "recovered"
    MISSED_RUN = "missed_run"
    DIGEST = "digest"
    TEST = "test"

    @property
    def good(self) -> bool:
        """Whether it is good news."""
        return self not in _BAD


_BAD = frozenset(
    {
        Topic.BACKUP_PARTIAL,
        Topic.BACKUP_FAILED,
        Topic.CLEAN_FAILED,
        Topic.UNHEALTHY,
        Topic.DRILL_FAILED,
        Topic.MISSED_RUN,
    }
)
_SUCCESS = {
    "backup": Topic.BACKUP_SUCCEEDED,
    "deliver": Topic.BACKUP_SUCCEEDED,
    "clean": Topic.CLEAN_SUCCEEDED,
    "monitor": Topic.HEALTHY,
    "drill": Topic.DRILL_PASSED,
    "verify": Topic.DRILL_PASSED,
}
_FAILURE = {
    "backup": Topic.BACKUP_FAILED,
    "deliver": Topic.BACKUP_PARTIAL,
    "clean": Topic.CLEAN_FAILED,
    "monitor": Topic.UNHEALTHY,
    "drill": Topic.DRILL_FAILED,
    "verify": Topic.DRILL_FAILED,
    "schedule": Topic.MISSED_RUN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How much people want to hear."""

    every: bool = False
    """Tell how every single operation came out, as laravel-backup does."""
    repeat: timedelta = timedelta(days=7)
    """A problem that stays is told again after so long; zero: never."""
    heard: frozenset[Topic] = frozenset(Topic)
    """What somebody hears of. The rest stays untold until somebody does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A problem that was there when it was last looked at."""

    problem: Problem
    since: datetime
    seen_at: datetime
    told_at: datetime | None = None
    """None while it only follows from another, or nobody hears of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is remembered from one operation to the next."""

    problems: Mapping[str, Open] = field(default_factory=dict)
    digest_at: datetime | None = None
    under_way: OperationStarted | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to tell, before it is put into words."""

    topic: Topic
    account: Account
    problems: tuple[Open, ...] = ()
    """What is wrong; of a recovery: what was."""
    standing: tuple[Open, ...] = ()
    """What else is wrong, and was told before."""

    @property
    def id(self) -> str:
        """The same whenever the same operation leads to the same notice."""
        return f"{self.account.run_id}.{self.topic.replace('_', '-')}"

    @property
    def since(self) -> datetime:
        """When the first of its problems was first seen; its operation's end if it has none."""
        return min((each.since for each in self.problems), default=self.account.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to tell now, and what to remember."""

    notices: tuple[Notice, ...]
    memory: Memory


def decide(account: Account, memory: Memory, policy: Policy) -> Decision:
    """Decide what the end of an operation gives to tell."""
    if account.operation not in _FAILURE:
        return Decision(notices=(), memory=memory)
    found = [_seen(problem, memory.problems, account) for problem in account.problems]
    found_keys = {each.problem.key for each in found}
    ended = [
        each
        for key, each in memory.problems.items()
        if key not in found_keys
        if _is_checked(key, account.checked) or _is_gone(key, account.holding)
    ]
    gone = {each.problem.key for each in ended}
    kept = {
        key: each
        for key, each in memory.problems.items()
        if key not in gone and account.at - each.seen_at < _FORGET
    }
    topic = _bad_topic(account)
    told = _to_tell(found, kept, account.at, policy) if topic in policy.heard else []
    kept |= {each.problem.key: each for each in [*found, *told]}
    bad_news = [Notice(topic=topic, account=account, problems=tuple(told))] if told else []
    notices = [*bad_news, *_recovery(account, ended)]
    news, digest_at = _good_news(account, memory, policy, silent=bool(notices))
    new = {each.problem.key for each in told}
    standing = tuple(
        each for key, each in kept.items() if each.told_at is not None and key not in new
    )
    return Decision(
        notices=tuple(replace(each, standing=standing) for each in (*notices, *news)),
        memory=replace(memory, problems=kept, digest_at=digest_at),
    )


def _seen(problem: Problem, known: Mapping[str, Open], account: Account) -> Open:
    before = known.get(problem.key)
    if before is None:
        return Open(problem=problem, since=account.started_at, seen_at=account.at)
    return replace(before, problem=problem, seen_at=account.at)


def _is_checked(key: str, checked: Sequence[str]) -> bool:
    return any(key == each or key.startswith(f"{each}:") for each in checked)


def _is_gone(key: str, holding: Mapping[str, frozenset[str]]) -> bool:
    """Tell whether it is about an archive, as `verify:offsite:ARCHIVE`, that is not there now."""
    kind, place, archive = [*key.split(":", 2), "", ""][:3]
    return kind == "verify" and place in holding and archive not in holding[place]


def _to_tell(
    found: Sequence[Open], kept: Mapping[str, Open], at: datetime, policy: Policy
) -> list[Open]:
    """Pick what is told now, the root of other problems first, and note when it was."""
    order = list(Cause)
    told: list[Open] = []
    for each in sorted(found, key=lambda one: order.index(one.problem.cause)):
        others = [one for one in [*kept.values(), *told] if one.told_at is not None]
        if policy.every or (_is_due(each, at, policy) and not _follows(each.problem, others)):
            told.append(replace(each, told_at=at))
    return told


def _is_due(each: Open, at: datetime, policy: Policy) -> bool:
    if each.told_at is None:
        return True
    return bool(policy.repeat) and at - each.told_at >= policy.repeat - _SLACK


def _follows(problem: Problem, told: Sequence[Open]) -> bool:
    """Tell whether a problem only follows from one that people know of."""
    for other in (each.problem for each in told):
        if other.key == problem.key:
            continue
        same_place = other.place == problem.place
        if other.cause is Cause.DOWN and same_place and problem.cause in {Cause.DOWN, Cause.STALE}:
            return True
        if other.cause is Cause.BROKEN and problem.cause is Cause.STALE:
            return True
        if other.key == "backup:left-out" and problem.key.endswith(":left-out"):
            return True
    return False


def _bad_topic(account: Account) -> Topic:
    topic = _FAILURE[account.operation]
    partial = topic is Topic.BACKUP_FAILED and account.outcome is Outcome.PARTIAL
    return Topic.BACKUP_PARTIAL if partial else topic


def _recovery(account: Account, ended: Sequence[Open]) -> list[Notice]:
    known = tuple(each for each in ended if each.told_at is not None)
    return [Notice(topic=Topic.RECOVERED, account=account, problems=known)] if known else []


def _good_news(
    account: Account, memory: Memory, policy: Policy, *, silent: bool
) -> tuple[list[Notice], datetime | None]:
    """Tell of a success: each one, or else the first backup and then one digest a week."""
    last = memory.digest_at
    if account.outcome is not Outcome.SUCCEEDED:
        return [], last
    success = Notice(topic=_SUCCESS[account.operation], account=account)
    if policy.every:
        return [success], last
    if account.operation != "backup":
        return [], last
    if last is None:
        heard = {success.topic, Topic.DIGEST} & policy.heard
        return ([] if silent or not heard else [success]), account.at if heard else None
    if account.at - last >= _WEEK - _SLACK:
        return [replace(success, topic=Topic.DIGEST)], account.at
    return [], last
