"""A destination that tries again what may go better the next time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from backupd.errors import DestinationError
from backupd.model import StoredObject
from backupd.ports import Destination, Gauged, Gauges, Locking, Progress

ResultT = TypeVar("ResultT")

_LONGEST_PAUSE = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryingDestination:
    """Tries each call several times if its failure was temporary.

    The pauses grow exponentially with jitter (up to `delay` more), so that many hosts which
    failed together do not come back together.
    """

    inner: Destination
    pause: Callable[[float], object]
    """Waits so many seconds."""
    tries: int = 3
    delay: float = 10
    """Seconds before the second try; each later one waits twice as long, 15 minutes at most."""
    on_failure: Callable[[str, DestinationError, float], None] = lambda *_: None
    """Told the destination's name, a failure that is not the last, and the seconds to wait."""

    @property
    def name(self) -> str:
        """The destination's own name."""
        return self.inner.name

    def store(self, key: str, path: Path, *, on_progress: Progress) -> StoredObject:
        """Store; a driver finds by itself what a failed try has left there."""
        return self._tried(lambda: self.inner.store(key, path, on_progress=on_progress))

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Read; after a failure, go on where it broke off, with as many tries as before."""
        done = 0
        chunks: Iterator[bytes] | None = None

        def next_chunk() -> bytes | None:
            nonlocal chunks
            left = None if length is None else length - done
            chunks = self.inner.read(key, start + done, left) if chunks is None else chunks
            try:
                return next(chunks, None)
            except DestinationError:
                chunks = None
                raise

        while (chunk := self._tried(next_chunk)) is not None:
            done += len(chunk)
            yield chunk

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """List; all of it is known before the first is given."""
        yield from self._tried(lambda: [*self.inner.list(prefix)])

    def delete(self, keys: Sequence[str]) -> Mapping[str, DestinationError]:
        """Delete; what a failed try has deleted is no failure of the next."""
        return self._tried(lambda: self.inner.delete(keys))

    def gauges(self, before: datetime) -> Gauges:
        """Tell what the destination tells, if it does."""
        inner = self.inner
        return self._tried(lambda: inner.gauges(before)) if isinstance(inner, Gauged) else Gauges()

    def locked_until(self, keys: Sequence[str]) -> Mapping[str, datetime]:
        """Tell what the destination keeps, if it knows locks."""
        inner = self.inner
        return self._tried(lambda: inner.locked_until(keys)) if isinstance(inner, Locking) else {}

    def sweep(self, before: datetime) -> Sequence[str]:
        """Sweep."""
        return self._tried(lambda: self.inner.sweep(before))

    def _wait(self, seconds: float) -> None:
        self.pause(seconds)

    def _tried(self, call: Callable[[], ResultT]) -> ResultT:
        import tenacity  # noqa: PLC0415  (costs 0.04 s)

        def tell(state: tenacity.RetryCallState) -> None:
            failure = state.outcome.exception() if state.outcome else None
            if isinstance(failure, DestinationError):
                self.on_failure(self.name, failure, state.upcoming_sleep)

        return tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.tries),
            wait=tenacity.wait_exponential(multiplier=self.delay, max=_LONGEST_PAUSE)
            + tenacity.wait_random(0, self.delay),
            retry=tenacity.retry_if_exception(_may_go_better),
            before_sleep=tell,
            sleep=self._wait,
            reraise=True,
        )(call)


def _may_go_better(error: BaseException) -> bool:
    return isinstance(error, DestinationError) and error.temporary
