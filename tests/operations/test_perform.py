"""The one way to run an operation."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from backupd.errors import DestinationError, Interrupted, LockedError
from backupd.events import OperationEnded, OperationFailed, OperationStarted
from backupd.lock import SetLock
from backupd.model import Outcome
from backupd.observers.group import ObserverGroup
from backupd.operations.perform import Performer
from backupd.ports import Observer
from fakes.clock import WoundClock
from fakes.listening import Listener, raising


@dataclass(frozen=True)
class Report:
    outcome: Outcome = Outcome.SUCCEEDED


@dataclass(frozen=True)
class Operation:
    action: Callable[[], None]
    name: str = "clean"

    def run(self, observe: Observer) -> Report:
        self.action()
        return Report()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def clock() -> WoundClock:
    return WoundClock()


@pytest.fixture
def performer(tmp_path: Path, clock: WoundClock, listener: Listener) -> Performer:
    observe = ObserverGroup([raising, listener])
    lock = SetLock(tmp_path / "lock")
    return Performer(set_name="shop", lock=lock, clock=clock, observe=observe)


def fail_with(error: BaseException) -> Operation:
    def action() -> None:
        raise error

    return Operation(action)


def test_it_says_started_and_ended_under_one_run_id(
    performer: Performer, clock: WoundClock, listener: Listener
) -> None:
    started_at = clock.now()
    report = performer.perform(Operation(lambda: clock.wind(minutes=3)))
    [started] = listener.of(OperationStarted)
    [ended] = listener.of(OperationEnded)
    assert started.run_id == ended.run_id
    assert (started.at, ended.started_at, ended.at) == (started_at, started_at, clock.now())
    assert ended.report == report


def test_an_error_is_announced_and_raised_as_it_is(
    performer: Performer, listener: Listener
) -> None:
    error = DestinationError("It is down.")
    with pytest.raises(DestinationError) as raised:
        performer.perform(fail_with(error))
    assert raised.value is error
    assert listener.of(OperationFailed)[0].error is error


def test_a_bug_is_announced_too(performer: Performer, listener: Listener) -> None:
    with pytest.raises(ZeroDivisionError):
        performer.perform(Operation(lambda: print(1 // 0)))  # noqa: T201
    assert isinstance(listener.of(OperationFailed)[0].error, ZeroDivisionError)


def test_ctrl_c_is_an_interruption_with_its_exit_code(
    performer: Performer, listener: Listener
) -> None:
    with pytest.raises(Interrupted):
        performer.perform(fail_with(KeyboardInterrupt()))
    assert isinstance(listener.of(OperationFailed)[0].error, Interrupted)


def test_the_lock_is_held_while_it_runs_and_free_after(performer: Performer) -> None:
    def again() -> None:
        with pytest.raises(LockedError):
            performer.perform(Operation(lambda: None))

    performer.perform(Operation(again))
    performer.perform(Operation(lambda: None))


def test_what_an_observer_raises_changes_nothing(performer: Performer) -> None:
    assert performer.perform(Operation(lambda: None)) == Report()
