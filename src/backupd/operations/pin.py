"""Pin a backup at every destination that has it, so that clean leaves it alone; or unpin it.

The pin is a small object beside the archive: whoever cleans sees it in the same listing, on
whatever machine, and it outlives this machine's state.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from backupd.catalog import Catalog
from backupd.cleaning import Marking, PinReport
from backupd.errors import DestinationError, ObjectNotFoundError
from backupd.model import Backup
from backupd.naming import pin_key
from backupd.operations.beside import PIN_TEXT, put_beside
from backupd.ports import Destination, Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """Keep a backup for ever."""

    catalogs: Sequence[Catalog]
    key: str
    folder: Path
    """Where the mark is written before it is stored: the spool."""
    name: str = "pin"

    def run(self, _observe: Observer) -> PinReport:
        """Store the mark wherever the backup is.

        Raises:
            ObjectNotFoundError: no destination that answers has the backup.
        """
        return _everywhere(self.catalogs, self.key, partial(_pin, folder=self.folder))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpin:
    """Let retention decide about a backup again."""

    catalogs: Sequence[Catalog]
    key: str
    name: str = "unpin"

    def run(self, _observe: Observer) -> PinReport:
        """Remove the mark wherever the backup is (see `Pin.run`)."""
        return _everywhere(self.catalogs, self.key, _unpin)


def _everywhere(
    catalogs: Sequence[Catalog], name: str, act: Callable[[Destination, Backup], None]
) -> PinReport:
    key = name if name.endswith(".zip") else f"{name}.zip"
    markings = []
    for catalog in catalogs:
        destination = catalog.destination
        try:
            found = [backup for backup in catalog.backups() if backup.key == key]
            for backup in found:
                act(destination, backup)
                markings.append(Marking(destination=destination.name))
        except DestinationError as error:
            marking = Marking(destination=destination.name, error=str(error), hint=error.hint)
            markings.append(marking)
    if not markings:
        raise ObjectNotFoundError(f"There is no backup named {key} at any destination.")
    return PinReport(key=key, destinations=tuple(markings))


def _pin(destination: Destination, backup: Backup, folder: Path) -> None:
    if not backup.pinned:
        put_beside(destination, pin_key(backup.key), PIN_TEXT, folder)


def _unpin(destination: Destination, backup: Backup) -> None:
    key = pin_key(backup.key)
    if backup.pinned and (failed := destination.delete([key])):
        raise failed[key]
