"""Work on several destinations at the same time, while observers hear of it from one thread."""

import contextvars
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from backupd.events import Event
from backupd.ports import Observer

ResultT = TypeVar("ResultT")

_LOOK_UP = 0.5
"""Seconds after which the waiting thread looks up, so that signals are handled."""
_GRACE = 5.0
"""Seconds that threads have to end after an interruption; they cannot outlive the program."""


@dataclass(frozen=True, slots=True)
class _Ended(Generic[ResultT]):
    name: str
    result: ResultT | None
    error: BaseException | None


def side_by_side(
    works: Mapping[str, Callable[[Observer], ResultT]],
    observe: Observer,
    stopping: threading.Event,
) -> dict[str, ResultT]:
    """Run each work in a thread of its own and return their results by name.

    `observe` is called in the caller's thread alone. When that thread is interrupted, `stopping`
    is set and the interruption goes on; works are to look at it. What a work raises is a bug: it
    is raised here after all have ended.
    """
    news: SimpleQueue[Event | _Ended[ResultT]] = SimpleQueue()
    threads = [
        threading.Thread(
            target=contextvars.copy_context().run,
            args=(_work, name, work, news),
            name=f"delivering to {name}",
            daemon=True,
        )
        for name, work in works.items()
    ]
    for thread in threads:
        thread.start()
    try:
        ended = _listen(news, len(threads), observe)
    except BaseException:
        stopping.set()
        for thread in threads:
            thread.join(_GRACE)
        raise
    for each in ended:
        if each.error is not None:
            raise each.error
    return {each.name: each.result for each in ended if each.result is not None}


def _work(
    name: str,
    work: Callable[[Observer], ResultT],
    news: "SimpleQueue[Event | _Ended[ResultT]]",
) -> None:
    try:
        news.put(_Ended(name, work(news.put), None))
    except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
        news.put(_Ended(name, None, error))


def _listen(
    news: "SimpleQueue[Event | _Ended[ResultT]]", expected: int, observe: Observer
) -> list[_Ended[ResultT]]:
    ended: list[_Ended[ResultT]] = []
    while len(ended) < expected:
        try:
            each = news.get(timeout=_LOOK_UP)
        except Empty:
            continue
        if isinstance(each, _Ended):
            ended.append(each)
        else:
            observe(each)
    return ended
