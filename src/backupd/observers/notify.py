"""Tell people: decide what the start or end of an operation gives to tell, and write it down."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from backupd.errors import BackupdError
from backupd.events import Event, OperationEnded, OperationFailed, OperationStarted, RunsMissed
from backupd.history import History
from backupd.message import Message
from backupd.model import Outcome
from backupd.observers.memory import read_memory, write_memory
from backupd.outbox import Draft, Envelope, Outbox
from backupd.telling.accounts import (
    Account,
    account_of,
    account_of_dead,
    account_of_missed,
    account_of_noted,
)
from backupd.telling.messages import Past, Voice, compose, ping
from backupd.telling.notices import Decision, Memory, Policy, Topic, decide

_RUNS = 400
_GOOD_FOR = timedelta(days=7)
_START_GOOD_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Which channels each topic goes to; `pings` are called at each backup's start and end."""

    topics: Mapping[Topic, Sequence[str]]
    pings: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """An observer that writes what there is to tell to the outbox, and wakes who sends it.

    An operation that began and whose end was never announced is told when the next one begins.
    """

    outbox: Outbox
    history: History
    policy: Policy
    voice: Voice
    routes: Routes
    wake: Callable[[], None]

    def __call__(self, event: Event) -> None:
        """Deal with the start or the end of an operation."""
        if isinstance(event, OperationStarted):
            self._started(event)
        elif isinstance(event, OperationEnded | OperationFailed):
            self._ended(event)
        elif isinstance(event, RunsMissed):
            self._missed(event)
        else:
            return
        self.wake()

    def _started(self, event: OperationStarted) -> None:
        with self.outbox.writing() as draft:
            memory = read_memory(draft)
            if memory.under_way is not None:
                account = self._account_of_untold(memory.under_way, event.at)
                memory = self._tell(draft, account, memory).memory
                self._ping_end(draft, account)
            if event.operation == "backup":
                text = f"{event.operation} {event.run_id}"
                self._put_pings(draft, ping("ping_start", event, text, self.voice), event.at)
            write_memory(draft, replace(memory, under_way=event))

    def _ended(self, event: OperationEnded | OperationFailed) -> None:
        account = account_of(event)
        with self.outbox.writing() as draft:
            memory = replace(read_memory(draft), under_way=None)
            if account is not None:
                memory = self._tell(draft, account, memory).memory
                self._ping_end(draft, account)
            write_memory(draft, memory)

    def _missed(self, event: RunsMissed) -> None:
        account = account_of_missed(event.operation, event.first, event.last, event.count, event.at)
        with self.outbox.writing() as draft:
            write_memory(draft, self._tell(draft, account, read_memory(draft)).memory)

    def _account_of_untold(self, started: OperationStarted, now: datetime) -> Account:
        """Say how an operation ended whose end was not told; only the history may know."""
        try:
            runs = self.history.runs(started.operation, limit=_RUNS)
        except BackupdError:
            runs = []
        run = next((run for run in runs if run.run_id == started.run_id), None)
        if run is None:
            return account_of_dead(started, now)
        return account_of_noted(started, run.ended_at, run.outcome, run.error)

    def _tell(self, draft: Draft, account: Account, memory: Memory) -> Decision:
        """Decide, and put every notice into the outbox, once for each of its channels."""
        decision = decide(account, memory, self.policy)
        for notice in decision.notices:
            channels = self.routes.topics.get(notice.topic, ())
            if channels:
                message = compose(notice, self.voice, self._past())
                self._put(draft, channels, message, account.at, _GOOD_FOR)
        return decision

    def _ping_end(self, draft: Draft, account: Account) -> None:
        if account.operation == "backup":
            kind = "ping_success" if account.outcome is Outcome.SUCCEEDED else "ping_fail"
            problems = "\n".join(each.text for each in account.problems)
            message = ping(kind, account, problems or account.outcome, self.voice)
            self._put_pings(draft, message, account.at)

    def _put_pings(self, draft: Draft, message: Message, at: datetime) -> None:
        good_for = _START_GOOD_FOR if message.event == "ping_start" else _GOOD_FOR
        self._put(draft, self.routes.pings, message, at, good_for)

    def _put(
        self,
        draft: Draft,
        channels: Sequence[str],
        message: Message,
        at: datetime,
        good_for: timedelta,
    ) -> None:
        expires_at = at + good_for
        draft.put(
            [
                Envelope(channel=channel, message=message, expires_at=expires_at)
                for channel in channels
            ],
            at,
        )

    def _past(self) -> list[Past]:
        """Give what ran before, the oldest first; people are told even if that is lost."""
        try:
            runs = self.history.runs(limit=_RUNS)
        except BackupdError:
            return []
        return [
            Past(
                operation=run.operation,
                at=run.started_at,
                outcome=run.outcome,
                bytes=int(run.facts.get("bytes", 0)),
            )
            for run in reversed(runs)
        ]
