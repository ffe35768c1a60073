"""What a multipart upload needs to go on after a cut, a crash or a restart, kept on disk."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from backupd.errors import DestinationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A multipart upload that was begun; what it is of, the digests of its parts tell."""

    upload_id: str
    where: str
    """Endpoint and bucket: the same upload means nothing elsewhere."""
    key: str
    checksums: bool
    """Whether the server takes SHA-256 checksums with the parts."""
    last_tried_at: datetime


class ResumeDirectory:
    """One small JSON file per upload under way; a damaged one counts as none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, key: str) -> Upload | None:
        """Return the upload that was begun under `key`, if one is remembered."""
        try:
            return _parse(self._file(key).read_text())
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, upload: Upload) -> None:
        """Remember an upload; durable when it returns."""
        written = self._file(upload.key).with_suffix(".partial")
        document = asdict(upload) | {"last_tried_at": upload.last_tried_at.isoformat()}
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with written.open("w") as file:
                json.dump(document, file)
                file.flush()
                os.fsync(file.fileno())
            written.replace(self._file(upload.key))
        except OSError as error:
            raise DestinationError(
                f"The state of an upload cannot be kept in {self._path} ({error.strerror}).",
                hint="Check the free space and the permissions of the state directory.",
            ) from error

    def forget(self, key: str) -> None:
        """Forget an upload that ended, or never was."""
        self._file(key).unlink(missing_ok=True)

    def all(self) -> list[Upload]:
        """Return every upload that is remembered."""
        found = (self.load(path.name.removesuffix(".json")) for path in self._path.glob("*.json"))
        return [upload for upload in found if upload]

    def _file(self, key: str) -> Path:
        return self._path / f"{key.rpartition('/')[2]}.json"


def _parse(text: str) -> Upload:
    document = json.loads(text)
    last_tried_at = datetime.fromisoformat(document["last_tried_at"])
    return Upload(**document | {"last_tried_at": last_tried_at})
