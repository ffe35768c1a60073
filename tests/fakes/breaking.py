"""A destination whose answers break off."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from backupd.errors import DestinationError
from backupd.model import StoredObject
from backupd.ports import Destination, Progress


class BreakingDestination:
    """Passes every call on, but the n-th long read (1 is the first) breaks off half-way.

    From then on it is gone.
    """

    def __init__(self, inner: Destination, *, at: int = 1, long: int = 200_000) -> None:
        self.inner = inner
        self.name = inner.name
        self._left = at
        self._long = long

    def store(self, key: str, path: Path, *, on_progress: Progress) -> StoredObject:
        return self.inner.store(key, path, on_progress=on_progress)

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        if length is not None and length >= self._long:
            self._left -= 1
        if self._left == 0:
            yield from self.inner.read(key, start, (length or 0) // 2)
        if self._left <= 0:
            self._left = -1
            raise DestinationError(f"'{self.name}' is gone.")
        yield from self.inner.read(key, start, length)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        return self.inner.list(prefix)

    def delete(self, keys: Sequence[str]) -> Mapping[str, DestinationError]:
        return self.inner.delete(keys)

    def sweep(self, before: datetime) -> Sequence[str]:
        return self.inner.sweep(before)
