"""Values as text for people, and as JSON for programs."""

import dataclasses
import json
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import click

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")
_STEP = 1000


def size(count: int) -> str:
    """Write bytes in decimal units, as 45.3 MB."""
    value, unit = float(count), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{count} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def moment(when: datetime, zone: tzinfo) -> str:
    """Write a moment in the set's zone, as 2025-11-08 01:00:00."""
    return f"{when.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def age(span: timedelta) -> str:
    """Write an age in its largest unit, as 1 day."""
    seconds = max(int(span.total_seconds()), 0)
    for name, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "just now"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Lay out rows under headings; the columns numbered in `right` are right-aligned."""
    columns = list(zip(headings, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    lines = [headings, ["-" * width for width in widths], *rows]

    def cell(text: str, index: int) -> str:
        return text.rjust(widths[index]) if index in right else text.ljust(widths[index])

    return "\n".join(
        "  ".join(cell(text, index) for index, text in enumerate(line)).rstrip() for line in lines
    )


def printable(path: str) -> str:
    """Make a path safe to print: control characters and bytes that are no text are escaped."""
    shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in shown)


def print_json(value: object) -> None:
    """Print one JSON document on standard output."""
    click.echo(json.dumps(plain(value), indent=2))


def plain(value: object) -> Any:  # noqa: ANN401  (JSON is anything)
    """Take a value apart into what JSON has."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Path) else value
