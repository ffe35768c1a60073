"""A destination that moves no more bytes a second than it is allowed to."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from backupd.errors import DestinationError
from backupd.model import StoredObject
from backupd.ports import Destination, Gauged, Gauges, Locking, Progress

_SHORTEST_PAUSE = 0.02


@dataclass(slots=True, kw_only=True)
class Pace:
    """Says how long to wait after each few bytes; what was not used up is not saved up."""

    bytes_per_second: float
    monotonic: Callable[[], float] = time.monotonic
    _due: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def after(self, count: int) -> float:
        """Return the seconds to wait now that `count` more bytes were moved."""
        with self._lock:
            now = self.monotonic()
            self._due = max(self._due, now) + count / self.bytes_per_second
            return self._due - now


@dataclass(frozen=True, slots=True, kw_only=True)
class PacedDestination:
    """Keeps to one pace for everything that is stored and read."""

    inner: Destination
    pace: Pace
    pause: Callable[[float], object]
    """Waits so many seconds."""

    @property
    def name(self) -> str:
        """The destination's own name."""
        return self.inner.name

    def store(self, key: str, path: Path, *, on_progress: Progress) -> StoredObject:
        """Store; the driver waits whenever it tells that it moved something."""

        def moved(count: int) -> None:
            on_progress(count)
            self._keep_pace(count)

        return self.inner.store(key, path, on_progress=moved)

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Read, with a wait after each chunk."""
        for chunk in self.inner.read(key, start, length):
            self._keep_pace(len(chunk))
            yield chunk

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """List."""
        return self.inner.list(prefix)

    def delete(self, keys: Sequence[str]) -> Mapping[str, DestinationError]:
        """Delete."""
        return self.inner.delete(keys)

    def gauges(self, before: datetime) -> Gauges:
        """Tell what the destination tells, if it does."""
        return self.inner.gauges(before) if isinstance(self.inner, Gauged) else Gauges()

    def locked_until(self, keys: Sequence[str]) -> Mapping[str, datetime]:
        """Tell what the destination keeps, if it knows locks."""
        return self.inner.locked_until(keys) if isinstance(self.inner, Locking) else {}

    def sweep(self, before: datetime) -> Sequence[str]:
        """Sweep."""
        return self.inner.sweep(before)

    def _keep_pace(self, count: int) -> None:
        seconds = self.pace.after(count)
        if seconds >= _SHORTEST_PAUSE:
            self.pause(seconds)
