"""Stand-ins for database programs: small scripts that do what a test needs."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

StandIn = Callable[[str, str], Path]


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    """Write a Python script as a program of a given name; it writes what it saw beside itself."""

    def write(name: str, body: str) -> Path:
        program = tmp_path / name
        program.write_text(f"#!{sys.executable} -I\nimport os, sys, time\n{body}\n")
        program.chmod(0o755)
        return program

    return write
