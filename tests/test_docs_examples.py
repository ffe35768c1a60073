"""What the documentation tells to type does what it says."""

import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from backupd.errors import SettingsError
from backupd.settings import load_settings
from pages import BLOCK, DOCS, PAGES, ROOT, blocks, every_page


@every_page
def test_every_env_file_on_a_page_is_valid(page: Path, tmp_path: Path) -> None:
    env_file = tmp_path / "backupd.env"
    for block in blocks(page, "env"):
        lines = [line for line in block.splitlines() if "_FILE=" not in line]
        env_file.write_text("\n".join(lines), encoding="utf-8")
        load_settings({}, env_file)


PASSWORDS = [
    (password, line)
    for block in blocks(DOCS / "how-to" / "passwords.md", "env")
    for password, line in re.findall(r"^# The password is:  (.+)\n(.+)$", block, re.MULTILINE)
]


@pytest.mark.parametrize(("password", "line"), PASSWORDS)
def test_a_password_is_read_as_the_page_of_passwords_says(
    password: str, line: str, tmp_path: Path
) -> None:
    env_file = tmp_path / "backupd.env"
    env_file.write_text(line + "\n", encoding="utf-8")
    read = load_settings({}, env_file).settings.archive_password
    assert read is not None
    assert read.get_secret_value() == password


def test_the_page_of_passwords_shows_every_special_character() -> None:
    shown = set("".join(password for password, _ in PASSWORDS))
    assert shown >= set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ")
    assert any(ord(character) > 127 for character in shown)


@pytest.mark.parametrize("line", blocks(DOCS / "how-to" / "passwords.md", "env wrong"))
def test_what_the_page_of_passwords_calls_a_mistake_is_one(line: str, tmp_path: Path) -> None:
    env_file = tmp_path / "backupd.env"
    env_file.write_text(line, encoding="utf-8")
    with pytest.raises(SettingsError):
        load_settings({}, env_file)


@every_page
def test_every_shell_block_on_a_page_is_valid_shell(page: Path) -> None:
    text = "".join(blocks(page, "sh") + blocks(page, "sh run"))
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert done.stderr == ""


RUNNABLE = [page for page in PAGES if blocks(page, "sh run")]
NEEDS = ("unzip", "7z", "sqlite3", "sha256sum")


def told(page: Path) -> list[tuple[str, str]]:
    """Give what a page tells to run, each with the output that it shows, if it shows one."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    steps = [(kind, text) for kind, text in found if kind in {"sh run", "text"}]
    return [
        (text, after if kind_after == "text" else "")
        for (kind, text), (kind_after, after) in pairwise([*steps, ("", "")])
        if kind == "sh run"
    ]


def as_shape(output: str) -> list[str]:
    """Leave out what differs from run to run: moments, sizes, ages, and the spaces they need."""
    for changing, word in (
        (r"\d{4}-\d\d-\d\d[ -]\d\d[-:]\d\d[-:]\d\d", "MOMENT"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d", "MOMENT"),
        (r"\d+(\.\d)? [KMG]?B\b", "SIZE"),
        (r"\((just now|\d+ [a-z]+)\)", "AGE"),
        (r"-{3,}", "---"),
        (r" +", " "),
    ):
        output = re.sub(changing, word, output)
    return [line.strip() for line in output.splitlines() if line.strip()]


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_tells_to_type_does_what_it_shows(page: Path, tmp_path: Path) -> None:
    missing = [name for name in NEEDS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    steps = told(page)
    script = "".join(f"printf '\\f'\n{command}" for command, _ in steps)
    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input=script,
        cwd=tmp_path,
        env=newcomer(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    for (command, shown), printed in zip(steps, done.stdout.split("\f")[1:], strict=True):
        if shown:
            assert as_shape(printed) == as_shape(shown), command


def newcomer(home: Path) -> dict[str, str]:
    """Give the environment of a user with a home of their own who has backupd on PATH."""
    return {
        "HOME": os.fspath(home),
        "LANG": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "STATE_DIRECTORY": os.fspath(home / "state"),
    }
