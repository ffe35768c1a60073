"""The settings of a destination → the destination, with its pace and its patience."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from backupd.errors import BackupdError, SettingsError
from backupd.history import History
from backupd.naming import is_of_set
from backupd.observers.log import log_retry
from backupd.operations.deliver import Delivery
from backupd.ports import Clock, Destination
from backupd.settings import Settings
from backupd.settings.places import LocalDestination, S3Destination
from backupd.settings.schema import Destination as Place


def all_places(settings: Settings, base: Path) -> dict[str, Place]:
    """Give the destinations by name: those that are set, else one under the state directory.

    AWS_BUCKET adds one called s3 if no S3 destination is set.
    """
    places = dict(settings.destinations)
    bucket = settings.aws.bucket
    if bucket and not any(isinstance(place, S3Destination) for place in places.values()):
        places.setdefault("s3", S3Destination(type="s3", bucket=bucket))
    if places:
        return places
    return {"local": LocalDestination(type="local", path=base / "backups")}


def local_paths(places: Mapping[str, Place]) -> dict[str, Path]:
    """Give the directories of the local destinations, by name."""
    local = {name: place for name, place in places.items() if isinstance(place, LocalDestination)}
    return {name: place.path for name, place in local.items()}


def refuse_shared(spool: Path, local: Mapping[str, Path]) -> None:
    """Make sure that the spool and each local destination have a directory of their own.

    One inside another does no harm: neither looks into directories.

    Raises:
        SettingsError: two of them are the same directory, if need be by a symbolic link.
    """
    if mistakes := list(_shared(spool, local)):
        raise SettingsError(
            *mistakes,
            hint="Give each a directory of its own. On the same file system as the spool, a copy "
            "costs nothing all the same.",
        )


def _shared(spool: Path, local: Mapping[str, Path]) -> Iterator[str]:
    known = {os.path.realpath(spool): "BACKUP_SPOOL"}
    for name, path in local.items():
        variable = f"BACKUP_DESTINATIONS__{name.upper()}__PATH"
        first = known.setdefault(os.path.realpath(path), variable)
        if first == "BACKUP_SPOOL":
            yield (
                f"{first} and {variable} are the same directory ({path}): what is delivered leaves "
                "the spool, and the copy would go with it."
            )
        elif first != variable:
            yield (
                f"{first} and {variable} are the same directory ({path}): one file would count as "
                "two copies."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Makes the destinations of one backup set; a driver is imported when it is needed."""

    settings: Settings
    set_name: str
    zone: ZoneInfo
    state: Path
    clock: Clock
    history: History
    """It tells where backups were delivered before."""
    stopping: threading.Event
    """Ends every wait when it is set."""

    def delivery(self, name: str, place: Place) -> Delivery:
        """Make a destination that keeps to its MAX_RATE and tries as often as RETRY says."""
        from backupd.destinations.retrying import RetryingDestination  # noqa: PLC0415

        hasty = self._paced(self._driver(name, place), place)
        patient = RetryingDestination(
            inner=hasty,
            tries=self.settings.retry.tries,
            delay=self.settings.retry.delay_seconds,
            pause=self.stopping.wait,
            on_failure=log_retry,
        )
        return Delivery(destination=patient, required=place.required, hasty=hasty)

    def _paced(self, driver: Destination, place: Place) -> Destination:
        if not place.max_rate:
            return driver
        from backupd.destinations.paced import Pace, PacedDestination  # noqa: PLC0415

        pace = Pace(bytes_per_second=place.max_rate)
        return PacedDestination(inner=driver, pace=pace, pause=self.stopping.wait)

    def _driver(self, name: str, place: Place) -> Destination:
        if isinstance(place, LocalDestination):
            from backupd.destinations.local import LocalDirectory  # noqa: PLC0415

            held = self._held(name)
            return LocalDirectory(name=name, path=place.path, owns=self._owns, held=held)
        return self._bucket(name, place)

    def _held(self, name: str) -> bool:
        """Tell whether backups were delivered there, as far as the history can be read."""
        with suppress(BackupdError):
            return bool(self.history.copies(name))
        return False

    def _bucket(self, name: str, place: S3Destination) -> Destination:
        from backupd.destinations.s3 import S3Destination as Driver  # noqa: PLC0415
        from backupd.destinations.s3_bucket import S3Bucket, S3Keeping  # noqa: PLC0415

        aws = self.settings.aws
        secret = aws.secret_access_key.get_secret_value() if aws.secret_access_key else ""
        return Driver(
            name=name,
            bucket=S3Bucket(
                name=place.bucket,
                endpoint_url=place.endpoint_url or "",
                region=place.region or aws.default_region or "",
                addressing_style=place.addressing_style,
                profile=place.profile or "",
                access_key_id="" if place.profile else aws.access_key_id or "",
                secret_access_key="" if place.profile else secret,
            ),
            prefix=place.prefix,
            keeping=S3Keeping(
                storage_class=place.storage_class or "",
                sse=place.sse or "",
                sse_kms_key_id=place.sse_kms_key_id or "",
                object_lock_days=place.object_lock_days or 0,
            ),
            resume_directory=self.state / "uploads" / name,
            owns=self._owns,
            clock=self.clock,
        )

    def _owns(self, key: str) -> bool:
        return is_of_set(self.set_name, key, self.zone)
