"""What the fixture `build` gives: a way to archive."""

from collections.abc import Callable, Iterable
from typing import Protocol

from backupd.archive.making import Making
from backupd.model import Archive, Member, Omission


class BuildArchive(Protocol):
    """Archives items, those of `tree` unless others are given, to a new file."""

    def __call__(
        self,
        items: Iterable[Member | Omission] | None = None,
        *,
        password: str | None = None,
        making: Making = ...,
        on_progress: Callable[[int], None] = ...,
    ) -> Archive:
        """Return the archive."""
        ...
