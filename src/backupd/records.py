"""What the history keeps: frozen values, one kind for each of its tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from backupd.model import Condition, Outcome

LEFT_OUT = "left_out"
"""The fact of a backup's run that names what could not be read."""
MISSED = "missed"
"""Stands for the operation of a run that never was: due times that were given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One operation that ended; `facts` are figures of its report, by name."""

    run_id: str
    operation: str
    started_at: datetime
    ended_at: datetime
    outcome: Outcome
    error: str = ""
    facts: Mapping[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRecord:
    """One archive that a destination confirmed to hold."""

    destination: str
    key: str
    at: datetime
    size: int
    sha256: str
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRecord:
    """What is known of an archive that was built here, wherever its copies are."""

    key: str
    encrypted: bool
    dumps: Mapping[str, int] = field(default_factory=dict)
    """Plain bytes of each database's dump."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRecord:
    """The last verify or drill of one backup that could tell whether it is good."""

    destination: str
    key: str
    operation: str
    """`verify` or `drill`."""
    at: datetime
    percent: int
    """How much of the backup was read."""
    seconds: float
    bytes: int
    """Plain bytes that were compared."""
    flaw: str = ""
    """What is wrong with the backup; "" for a good one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a destination held when its health was last checked."""

    destination: str
    at: datetime
    reachable: bool
    healthy: bool
    count: int = 0
    bytes: int = 0
    newest: datetime | None = None


def condition_of(proofs: Sequence[ProofRecord]) -> Condition:
    """Judge a backup by its proofs, the newest first: one that read all of it, or found a flaw."""
    for proof in proofs:
        if proof.flaw or proof.percent == 100:  # noqa: PLR2004  (all of it)
            return Condition.DAMAGED if proof.flaw else Condition.PROVED
    return Condition.UNPROVED
