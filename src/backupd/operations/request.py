"""What a backup is asked for."""

from dataclasses import dataclass

from backupd.model import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRequest:
    """What one backup is asked for, beyond the settings."""

    only_db: bool = False
    only_files: bool = False
    databases: tuple[str, ...] = ()
    """Only these; empty: all."""
    only_to: tuple[str, ...] = ()
    """Only these destinations; empty: all."""
    exclude: tuple[str, ...] = ()
    """More gitignore patterns to leave out."""
    suffix: str = ""
    full: bool = False
    """Carry nothing over from the previous archive."""

    @property
    def scope(self) -> Scope:
        """How much of the set it takes."""
        if self.databases or self.exclude:
            return Scope.SELECTED
        if self.only_db:
            return Scope.ONLY_DB
        return Scope.ONLY_FILES if self.only_files else Scope.FULL
