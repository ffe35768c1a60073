"""The program as a user without rights runs it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from conftest import Done, Program, make_program

_NOBODY = 65534


@contextmanager
def enterable() -> Iterator[Program]:
    """Give a program in a folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield make_program(Path(folder))


def belongs_to_nobody(path: Path) -> None:
    """Give away what is there, if this is root."""
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", str(_NOBODY), str(path)], check=True)


def as_nobody(program: Program, *arguments: str) -> Done:
    """Run it to its end, without root's rights."""
    return program.finish(
        subprocess.Popen(
            [*_without_rights(), *program.command(*arguments)],
            env=program.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )


@cache
def _without_rights() -> tuple[str, ...]:
    """Give what comes before a command."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not installed, and root reads everything")
    command = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")
    if subprocess.run([*command, sys.executable, "-c", ""], check=False).returncode:
        pytest.skip(f"{sys.executable} lies where only root may look")
    return command


@contextmanager
def nobody() -> Iterator[None]:
    """Be without root's rights, within this process."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
