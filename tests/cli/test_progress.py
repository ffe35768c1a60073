"""What a terminal shows while an operation is at work: text and bars, none over the other."""

import os
import re

import pytest

from conftest import Program
from fakes.terminal import typed

LINES = [
    r"Starting backup\.\.\.",
    r"Determining files to backup\.\.\.",
    r"Zipping \d+ files\.\.\.",
    r"Backup created successfully \(Size: [\d.]+ MB\)",
    r"Delivering to here\.\.\.",
    r"Backup completed at: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
]
STAMPED = re.compile(r"\d{4}-\d\d-\d\dT\S+ \[")


@pytest.fixture
def large(program: Program) -> Program:
    """An application that is large enough for a bar."""
    (program.root / "large.bin").write_bytes(os.urandom(3_000_000))
    return program


def assert_lines(seen: list[str]) -> None:
    assert len(seen) == len(LINES), seen
    for pattern, line in zip(LINES, seen, strict=True):
        assert re.fullmatch(pattern, line), seen


def test_on_a_terminal_every_line_stands_alone_and_no_bar_is_left(large: Program) -> None:
    written, seen = typed(large.command("run"), large.environment)
    assert "zipping" in written
    assert_lines(seen)


def test_lines_of_the_log_stand_alone_too(large: Program) -> None:
    large.set(LOG_FORMAT="console")
    _, seen = typed(large.command("run", "--verbose"), large.environment)
    begun = [line for line in seen if STAMPED.match(line)]
    assert len(begun) >= 5, seen
    assert_lines([line for line in seen if any(re.fullmatch(each, line) for each in LINES)])
    assert not any("━" in line for line in seen), seen


def test_a_pipe_gets_the_text_and_the_terminal_behind_it_no_bar(large: Program) -> None:
    written, seen = typed(large.command("run"), large.environment, "| cat")
    assert "━" not in written
    assert_lines(seen)


def test_what_the_daemon_starts_draws_no_bar_into_its_log(large: Program) -> None:
    large.set(LOG_FORMAT="console")
    written, seen = typed(large.command("run", "--verbose"), large.environment, "> /dev/null")
    assert "━" not in written
    assert len([line for line in seen if STAMPED.match(line)]) >= 5, seen


def test_without_a_terminal_nothing_of_bars_is_imported(large: Program) -> None:
    done = large("run", PYTHONPROFILEIMPORTTIME="1")
    assert done.code == 0
    assert "rich.progress" not in done.err
    assert "structlog" in done.err
