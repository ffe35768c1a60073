"""Destinations in memory: one that keeps what it is given, and one that fails when told to."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from backupd.errors import DestinationError, ObjectNotFoundError
from backupd.model import StoredObject
from backupd.ports import Progress

CHUNK = 1024 * 1024


class MemoryDestination:
    """Keeps objects in a dictionary."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.objects: dict[str, bytes] = {}

    def store(self, key: str, path: Path, *, on_progress: Progress) -> StoredObject:
        if key in self.objects:
            raise DestinationError(f"{key} is there.")
        content = path.read_bytes()
        on_progress(len(content))
        self.objects[key] = content
        return self._stored(key)

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        if key not in self.objects:
            raise ObjectNotFoundError(f"There is no {key}.")
        end = None if length is None else start + length
        content = self.objects[key][start:end]
        for position in range(0, len(content), CHUNK):
            yield content[position : position + CHUNK]

    def list(self, prefix: str) -> Iterator[StoredObject]:
        yield from [self._stored(key) for key in sorted(self.objects) if key.startswith(prefix)]

    def delete(self, keys: Sequence[str]) -> Mapping[str, DestinationError]:
        for key in keys:
            self.objects.pop(key, None)
        return {}

    def sweep(self, before: datetime) -> Sequence[str]:
        return []

    def _stored(self, key: str) -> StoredObject:
        content = self.objects[key]
        return StoredObject(
            key=key,
            size=len(content),
            modified_at=datetime(2025, 1, 1, tzinfo=UTC),
            sha256=hashlib.sha256(content).hexdigest(),
        )


class FailingDestination:
    """Passes every call on to another destination, but fails from the n-th on (the first is 1).

    With `times` it fails only so often, and works again after.
    """

    def __init__(self, inner: MemoryDestination, *, at: int = 1, times: int | None = None) -> None:
        self.inner = inner
        self.name = inner.name
        self.at = at
        self.times = times
        self.calls = 0

    def _count(self) -> None:
        self.calls += 1
        last = None if self.times is None else self.at + self.times - 1
        if self.calls >= self.at and (last is None or self.calls <= last):
            raise DestinationError(f"'{self.name}' is down.", temporary=True)

    def store(self, key: str, path: Path, *, on_progress: Progress) -> StoredObject:
        self._count()
        return self.inner.store(key, path, on_progress=on_progress)

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        self._count()
        return self.inner.read(key, start, length)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        self._count()
        return self.inner.list(prefix)

    def delete(self, keys: Sequence[str]) -> Mapping[str, DestinationError]:
        self._count()
        return self.inner.delete(keys)

    def sweep(self, before: datetime) -> Sequence[str]:
        self._count()
        return self.inner.sweep(before)


class RefusingDestination:
    """Passes every call on to another destination, but does not delete what it is told to keep."""

    def __init__(self, inner: MemoryDestination, refusals: Mapping[str, DestinationError]) -> None:
        self.inner = inner
        self.name = inner.name
        self.refusals = refusals
        self.asked: list[Sequence[str]] = []
        """The keys of every request to delete."""

    def store(self, key: str, path: Path, *, on_progress: Progress) -> StoredObject:
        return self.inner.store(key, path, on_progress=on_progress)

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self.inner.read(key, start, length)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        return self.inner.list(prefix)

    def delete(self, keys: Sequence[str]) -> Mapping[str, DestinationError]:
        self.asked.append(keys)
        self.inner.delete([key for key in keys if key not in self.refusals])
        return {key: self.refusals[key] for key in keys if key in self.refusals}

    def sweep(self, before: datetime) -> Sequence[str]:
        return self.inner.sweep(before)
