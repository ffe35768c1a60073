"""How backup, delivery, restore, verify and drill came out: frozen values, as those of `model`."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backupd.model import Archive, Outcome, Scope, StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """How the delivery of one archive to one destination came out."""

    destination: str
    key: str
    scope: Scope = Scope.FULL
    """How much of the backup set the archive holds."""
    required: bool = True
    stored: StoredObject | None = None
    """None if the delivery failed."""
    error: str = ""
    hint: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the destination holds the whole archive."""
        return self.stored is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """How a backup came out."""

    archive: Archive
    copies: tuple[Copy, ...]
    """Of this archive."""
    late: tuple[Copy, ...] = ()
    """Of earlier archives, to destinations that had missed them."""
    finished_at: datetime

    @property
    def outcome(self) -> Outcome:
        """Partial when a required copy or a member is missing; failed when no copy was made."""
        if not any(copy.succeeded for copy in self.copies):
            return Outcome.FAILED
        everywhere = all(copy.succeeded for copy in (*self.copies, *self.late) if copy.required)
        return Outcome.SUCCEEDED if everywhere and self.archive.complete else Outcome.PARTIAL


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """How the delivery of what waited in the spool came out."""

    copies: tuple[Copy, ...]
    finished_at: datetime

    @property
    def outcome(self) -> Outcome:
        """Partial when some required copies were made, failed when none was."""
        required = [copy for copy in self.copies if copy.required]
        if all(copy.succeeded for copy in required):
            return Outcome.SUCCEEDED
        made = any(copy.succeeded for copy in required)
        return Outcome.PARTIAL if made else Outcome.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What is wrong with one member of an archive, or (without a path) with the archive itself."""

    path: str = ""
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan:
    """What a restore would do; nothing has been done yet."""

    key: str
    destinations: tuple[str, ...]
    """Where the archive is, the first to be asked first."""
    target: Path
    members: tuple[str, ...]
    """Paths to be written, sorted."""
    bytes_to_write: int
    bytes_free: int
    unchanged: int = 0
    """Members that are there already, as they are in the backup."""
    in_the_way: tuple[str, ...] = ()
    """Paths where something else stands."""
    flaws: tuple[Flaw, ...] = ()
    """Members that cannot be restored, as the directory of the archive shows."""
    has_manifest: bool = True
    """Without one, only the ZIP's own checks can be made, and nobody knows what is missing."""
    never_taken: tuple[str, ...] = ()
    """Paths that could not be read when the backup was taken, so that it is a partial one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """How a restore came out."""

    plan: RestorePlan
    restored: int
    """Members written and checked."""
    restored_bytes: int
    flaws: tuple[Flaw, ...] = ()
    """Damaged members, which were skipped."""
    dumps: tuple[str, ...] = ()
    """Paths of the database dumps among them."""
    notes: tuple[str, ...] = ()
    """What went on that the operator should know, a sentence each."""

    @property
    def outcome(self) -> Outcome:
        """Partial if anything had to be skipped."""
        return Outcome.PARTIAL if self.flaws else Outcome.SUCCEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found when one backup was read back, or restored."""

    destination: str
    key: str
    at: datetime
    seconds: float
    members: int = 0
    content_bytes: int = 0
    """Plain bytes that were read and compared."""
    percent: int = 100
    """How much of it was looked at."""
    has_manifest: bool = True
    databases: tuple[str, ...] = ()
    """Databases that were opened and whose tables were counted (drill only)."""
    flaws: tuple[Flaw, ...] = ()
    error: str = ""
    """Why nothing can be said of it: the destination failed, the password is another one."""
    hint: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether everything that was looked at is as it was written."""
        return not self.flaws and not self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofReport:
    """How a verify or a drill came out: one proof for each backup."""

    proofs: tuple[Proof, ...]

    @property
    def outcome(self) -> Outcome:
        """Failed if a single backup did not pass."""
        passed = all(proof.succeeded for proof in self.proofs)
        return Outcome.SUCCEEDED if passed else Outcome.FAILED
