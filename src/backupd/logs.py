"""The log: structlog on stderr, as lines or JSON, with every known secret taken out."""

import logging
import os
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Literal

import structlog
from structlog.typing import Processor

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
        return self.clean(event) if isinstance(event, str) else event


def configure_logs(
    log_format: Literal["auto", "journal", "console", "json"],
    level: str,
    redactor: Redactor,
    process: Mapping[str, str],
) -> None:
    """Set structlog up once for the whole process; lines go to stderr."""
    if log_format == "auto":
        log_format = "journal" if "JOURNAL_STREAM" in process else "console"
    renderers: dict[str, list[Processor]] = {
        "json": [_with_trace, structlog.processors.JSONRenderer(default=str)],
        "journal": [_with_trace, _journal_line],
        "console": [
            structlog.dev.ConsoleRenderer(
                colors=os.isatty(sys.stderr.fileno()),
                # The default prints local variables, and secrets with them.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ],
    }
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *([] if log_format == "journal" else [stamp]),
            *renderers[log_format],
            redactor,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


_with_trace = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


def _journal_line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """Write one line with the priority that systemd reads (sd-daemon(3))."""
    level = _PRIORITIES.get(event.pop("level", "info"), 6)
    text = str(event.pop("event", ""))
    pairs = " ".join(f"{key}={value}" for key, value in event.items())
    return f"<{level}>{text}" + (f" ({pairs})" if pairs else "")
