"""The deployment check-list, done by the program: every line passes, warns or fails."""

import secrets
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backupd.diagnosis import Diagnosis, Grade, bad, doubtful, good
from backupd.errors import BackupdError, DestinationError
from backupd.model import Outcome
from backupd.ports import Destination

Checkup = Callable[[], Iterable[Diagnosis]]
"""Looks at one thing; what it raises is that thing's failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorReport:
    """All lines of the check-list."""

    diagnoses: tuple[Diagnosis, ...]

    @property
    def outcome(self) -> Outcome:
        """Failed if any line fails; warnings do not count."""
        failed = any(each.grade is Grade.BAD for each in self.diagnoses)
        return Outcome.FAILED if failed else Outcome.SUCCEEDED


def examine_all(checkups: Sequence[tuple[str, Checkup]]) -> Iterable[Diagnosis]:
    """Make every checkup, by its subject; one that fails does not stop the others."""
    for subject, checkup in checkups:
        try:
            yield from checkup()
        except BackupdError as error:
            yield bad(subject, str(error), error.hint)


def probe(destination: Destination, set_name: str) -> Iterable[Diagnosis]:
    """Write a small object, list it, read it back and delete it.

    Raises:
        DestinationError: it cannot be written, listed or read.
    """
    subject = f"destination {destination.name}"
    content = secrets.token_bytes(1000)
    key = f"{set_name}-doctor-{secrets.token_hex(4)}.probe"
    with tempfile.TemporaryDirectory(prefix="backupd-") as folder:
        path = Path(folder) / key
        path.write_bytes(content)
        destination.store(key, path, on_progress=lambda _: None)
    listed = [stored.key for stored in destination.list(key)]
    read = b"".join(destination.read(key))
    if listed != [key] or read != content:
        yield bad(
            subject,
            "What was written there could not be listed and read back as it was.",
            "Do not trust this destination before you know why; look at its storage.",
        )
    failure = _failure_to_delete(destination, key)
    if failure is None:
        yield good(subject, "It can be written to, listed, read and deleted from.")
    else:
        yield doubtful(
            subject,
            f"It can be written to, listed and read, but not deleted from: {failure}",
            f"That is right for a host that may only add; then clean from another one. {key} is "
            "left there.",
        )


def _failure_to_delete(destination: Destination, key: str) -> DestinationError | None:
    try:
        return destination.delete([key]).get(key)
    except DestinationError as error:
        return error
