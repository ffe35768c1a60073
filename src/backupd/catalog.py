"""What a destination holds, as backups."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo

from backupd.model import Backup
from backupd.naming import archive_time
from backupd.ports import Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The backups of one backup set at one destination; names of any other shape do not exist."""

    destination: Destination
    set_name: str
    zone: tzinfo

    def backups(self) -> list[Backup]:
        """List them, the newest first.

        Raises:
            DestinationError: the destination cannot be listed.
        """
        return sorted(self._all(), key=lambda backup: (backup.created_at, backup.key), reverse=True)

    def _all(self) -> Iterator[Backup]:
        for stored in self.destination.list(f"{self.set_name}-"):
            created_at = archive_time(self.set_name, stored.key, self.zone)
            if created_at is not None:
                yield Backup(
                    set_name=self.set_name,
                    destination=self.destination.name,
                    key=stored.key,
                    created_at=created_at,
                    size=stored.size,
                )
