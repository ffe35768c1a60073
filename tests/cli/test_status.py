"""`backupd status`, as its user sees it."""

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

from conftest import Program


def test_before_anything_ran(program: Program) -> None:
    done = program("status")
    assert done.code == 0
    assert "Nothing has run yet." in done.out
    assert not program.state.exists()


def test_after_a_backup(program: Program) -> None:
    program("run")
    done = program("status")
    assert done.code == 0
    assert "Nothing runs now." in done.out
    assert "succeeded" in done.out
    assert "here" in done.out


def test_a_failure_and_what_waits_is_shown(program: Program) -> None:
    program.set(MAIL_TO="a@example.org", MAIL__HOST="127.0.0.1", MAIL__PORT="1")
    program.set(SOURCE__INCLUDE="not-there")
    assert program("run").code == 1
    out = program("status").out
    assert "! " in out
    assert "not-there" in out
    assert "1 message waits to be sent; mail:a@example.org: The mail server" in out


def test_a_problem_is_known_though_nobody_is_told(program: Program) -> None:
    program.set(SOURCE__INCLUDE="not-there")
    assert program("run").code == 1
    assert "not-there" in program("status").out
    assert len(json.loads(program("status", "--json").out)["problems"]) == 1
    page = program.folder / "page.html"
    program("report", "--html", str(page))
    assert "No problem is known" not in page.read_text()


def test_as_json(program: Program) -> None:
    program("run")
    document = json.loads(program("status", "--json").out)
    assert document["set_name"] == "shop"
    assert document["operations"][0]["last"]["outcome"] == "succeeded"
    assert document["destinations"][0]["newest"]["size"] > 0
    assert len(document["runs"]) == 1


def test_follow_renews_the_screen_until_it_is_stopped(program: Program) -> None:
    """On a terminal; the first backup is taken while it looks."""
    terminal, other_end = pty.openpty()
    process = subprocess.Popen(
        program.command("status", "--follow"),
        env=program.environment | {"TERM": "xterm"},
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
    )
    os.close(other_end)
    shown = read_until(terminal, "Nothing has run yet.")
    program("run")
    shown += read_until(terminal, "succeeded")
    process.send_signal(signal.SIGINT)
    rest = read_until(terminal, "")
    assert process.wait(30) == 0, shown + rest


def read_until(terminal: int, wanted: str) -> str:
    """Read what is shown, up to a text, or to the end for none."""
    shown = b""
    while not wanted or wanted.encode() not in shown:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            chunk = b""
        if not chunk:
            break
        shown += chunk
    assert wanted.encode() in shown
    return shown.decode()


def test_follow_and_json_exclude_each_other(program: Program) -> None:
    assert program("status", "--follow", "--json").code == 2


def test_the_metrics_file_is_written_after_a_run(program: Program, tmp_path: Path) -> None:
    directory = tmp_path / "textfile"
    directory.mkdir()
    program.set(METRICS__DIRECTORY=str(directory))
    assert program("run", "--disable-notifications").code == 0
    text = (directory / "backupd-shop.prom").read_text()
    assert 'backupd_last_run_success{set="shop",operation="backup"} 1' in text


def test_a_metrics_directory_that_is_not_there_fails_no_backup(program: Program) -> None:
    program.set(METRICS__DIRECTORY=str(program.folder / "not-there"))
    done = program("run", "--verbose")
    assert done.code == 0
    assert "BACKUP_METRICS__DIRECTORY" in done.err
