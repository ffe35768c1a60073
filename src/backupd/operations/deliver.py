"""Bring a built archive to every destination, each on its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from backupd.errors import DestinationError
from backupd.events import CopyEnded, CopyStarted, Progressed
from backupd.model import Archive, Copy, Scope, StoredObject
from backupd.naming import checksum_key, scope_key
from backupd.operations.beside import put_beside
from backupd.ports import Destination, Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A destination to deliver to; without its copy a backup is partial, unless not `required`."""

    destination: Destination
    required: bool = True


def deliver(archive: Archive, deliveries: Sequence[Delivery], observe: Observer) -> list[Copy]:
    """Deliver to each destination in turn; one that fails does not hurt the others."""
    return [_delivered(archive, delivery, observe) for delivery in deliveries]


def _delivered(archive: Archive, delivery: Delivery, observe: Observer) -> Copy:
    name = delivery.destination.name
    observe(CopyStarted(destination=name, key=archive.name, size=archive.size))
    stored, error, hint = None, "", ""
    try:
        stored = _store(archive, delivery.destination, observe)
    except DestinationError as failure:
        error, hint = str(failure), failure.hint
    copy = Copy(
        destination=name,
        key=archive.name,
        required=delivery.required,
        stored=stored,
        error=error,
        hint=hint,
    )
    observe(CopyEnded(copy=copy))
    return copy


def _store(archive: Archive, destination: Destination, observe: Observer) -> StoredObject:
    """Store archive and checksum; the copy must be what was built."""
    done = 0

    def on_progress(count: int) -> None:
        nonlocal done
        done += count
        phase = f"delivering to {destination.name}"
        observe(Progressed(phase=phase, done=done, total=archive.size))

    if archive.scope is not Scope.FULL:  # first, so that it never looks like a full one
        mark = f"This backup is not a full one: {archive.scope}.\n"
        put_beside(destination, scope_key(archive.name, archive.scope), mark)
    stored = destination.store(archive.name, archive.path, on_progress=on_progress)
    if (stored.size, stored.sha256) != (archive.size, archive.sha256):
        destination.delete([archive.name])
        raise DestinationError(
            f"The copy at '{destination.name}' is not what was built; it was removed.",
            hint="Check the disk or the network behind that destination; the next run tries again.",
        )
    put_beside(destination, checksum_key(archive.name), f"{archive.sha256}  {archive.name}\n")
    return stored
