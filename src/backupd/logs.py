"""The log: structlog to the journal, on stderr as lines or JSON, with every secret taken out."""

import logging
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Literal

if "rich" not in sys.modules:
    # structlog would import it (0.05 s) for traces with colours, which are never printed. Commands
    # import this module before any other that needs structlog.
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog
    finally:
        del sys.modules["rich"]
import structlog
from structlog.typing import Processor

from backupd import journal

_SHORTEST_SECRET = 4
_HIDDEN = "[hidden]"


class Redactor:
    """Takes secrets out of texts; shorter ones than 4 characters would take words apart."""

    def __init__(self, secrets: Iterable[str]) -> None:
        wanted = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
        self._secrets = sorted(wanted, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """Return the text without any secret."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text

    def __call__(self, _logger: object, _method: str, event: Any) -> Any:  # noqa: ANN401
        """Clean what a renderer made: the last step before a line is written."""
        if isinstance(event, dict):
            # As one argument of the logger; structlog would spread a dict over keywords.
            return ({name: self.clean(text) for name, text in event.items()},), {}
        return self.clean(event) if isinstance(event, str) else event


def configure_logs(
    log_format: Literal["auto", "journal", "console", "json"],
    level: str,
    redactor: Redactor,
    process: Mapping[str, str],
    journal_socket: Path = journal.SOCKET,
) -> None:
    """Set structlog up once for the whole process; lines go to stderr, entries to the journal."""
    if log_format == "auto":
        log_format = "journal" if journal.is_connected(process, 2) else "console"
    renderers: dict[str, list[Processor]] = {
        "json": [_with_trace, structlog.processors.JSONRenderer(default=str)],
        "journal": [structlog.processors.format_exc_info, _journal_entry],
        "console": [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                # The default prints local variables, and secrets with them.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ],
    }
    writer = JournalWriter(journal_socket) if log_format == "journal" else None
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *([] if writer else [stamp]),
            *renderers[log_format],
            redactor,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        # Standard error is looked up for each line: bars take its place while they are drawn.
        logger_factory=lambda *_: writer or structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


_with_trace = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_CONTEXT = {"run_id", "operation", "set"}
"""What every line of an operation has: fields, but not worth repeating in its text."""


def _journal_entry(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> dict[str, str]:
    """Make a journal entry: a text for people, and each fact as a field of its own."""
    priority = _PRIORITIES.get(event.pop("level", "info"), 6)
    text, trace = str(event.pop("event", "")), str(event.pop("exception", ""))
    facts = {name: str(value) for name, value in event.items()}
    pairs = " ".join(f"{name}={value}" for name, value in facts.items() if name not in _CONTEXT)
    return {
        "MESSAGE": text + (f" ({pairs})" if pairs else "") + (f"\n{trace}" if trace else ""),
        "PRIORITY": str(priority),
        "SYSLOG_IDENTIFIER": "backupd",
    } | {f"BACKUPD_{name.upper()}": value for name, value in facts.items()}


class JournalWriter:
    """Writes entries to the journal; where it is away, lines that systemd reads the same way."""

    def __init__(self, path: Path) -> None:
        self._journal = journal.Journal(path)

    def _write(self, entry: Mapping[str, str]) -> None:
        try:
            self._journal.send(entry)
        except OSError:  # sd-daemon(3): a priority before every line
            for line in entry["MESSAGE"].splitlines():
                sys.stderr.write(f"<{entry['PRIORITY']}>{line}\n")

    debug = info = warning = error = critical = _write
