"""Write the figures for Prometheus after each operation, whole or not at all."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from backupd.events import Event, OperationEnded, OperationFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsFile:
    """An observer that renews a file for node_exporter's textfile collector.

    The collector reads `*.prom`; it sees the old file or the new one, never a part. Everybody may
    read it, as node_exporter runs as a user of its own.
    """

    path: Path
    text: Callable[[], str]

    def __call__(self, event: Event) -> None:
        """Renew it when an operation has ended."""
        if not isinstance(event, OperationEnded | OperationFailed):
            return
        try:
            self._renew()
        except OSError as error:
            structlog.get_logger("backupd").error(
                f"the metrics {self.path} cannot be written: {error.strerror}",
                hint="BACKUP_METRICS__DIRECTORY must be a directory that backupd may write to.",
            )

    def _renew(self) -> None:
        partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        try:
            with partial.open("w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), 0o644)
                file.write(self.text())
            partial.replace(self.path)
        finally:
            partial.unlink(missing_ok=True)
