"""Values as text for people, and as JSON for programs."""

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime, tzinfo
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click


def moment(when: datetime, zone: tzinfo) -> str:
    """Write a moment in the set's zone, as 2025-11-08 01:00:00."""
    return f"{when.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[int] = (),
    colours: Sequence[str | None] = (),
) -> str:
    """Lay out rows under headings, if there are any.

    The columns numbered in `right` are right-aligned. `colours` has one for each row, or none;
    they come off where the output is no terminal.
    """
    columns = list(zip(*([headings] if headings else []), *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]

    def line(cells: Sequence[str]) -> str:
        texts = (
            text.rjust(width) if index in right else text.ljust(width)
            for index, (text, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(texts).rstrip()

    head = [line(headings), line(["-" * width for width in widths])] if headings else []
    painted = zip_longest(map(line, rows), colours)
    return "\n".join([*head, *(click.style(text, fg=colour) for text, colour in painted)])


def columns() -> float:
    """Tell the width to keep to; what goes into a pipe keeps its full width."""
    fixed = sys.stdout.isatty() or "COLUMNS" in os.environ
    return shutil.get_terminal_size().columns if fixed else float("inf")


def trouble(where: str, message: str, hint: str) -> None:
    """Say on standard error what went wrong at a destination, and what to do."""
    click.secho(
        click.wrap_text(f"{where}: {message}", 80, subsequent_indent="  "), err=True, fg="red"
    )
    click.echo(click.wrap_text(hint, 80, initial_indent="  ", subsequent_indent="  "), err=True)


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
