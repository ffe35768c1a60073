"""A terminal for a program: what stands on its screen in the end, line by line."""

import os
import pty
import re
import subprocess
import termios
from collections.abc import Mapping, Sequence

WIDTH = 110
_PIECE = re.compile(r"\x1b\[(?P<number>[?\d;]*)(?P<verb>[A-Za-z])|(?P<plain>[^\x1b])", re.DOTALL)


def typed(
    command: Sequence[str], environment: Mapping[str, str], redirection: str = ""
) -> tuple[str, list[str]]:
    """Run a command on a terminal; give all that it wrote, and the lines that can be seen then.

    `redirection` stands after it as in a shell, as `| cat`.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (60, WIDTH))
    child = subprocess.Popen(
        ["sh", "-c", f'"$@" {redirection}', "sh", *command],
        env={**environment, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    try:
        while some := os.read(ours, 65536):
            written += some
    except OSError:  # EIO: the last one that had it open has ended
        pass
    os.close(ours)
    child.wait()
    text = written.decode()
    return text, screen(text)


def screen(text: str) -> list[str]:
    """Interpret what bars need of ECMA-48, and give the lines without blanks at their ends."""
    lines, row, column = [""], 0, 0
    for piece in _PIECE.finditer(text):
        char, verb = piece["plain"], piece["verb"]
        if char == "\r":
            column = 0
        elif char == "\n":
            row += 1
        elif char is not None:
            if column == WIDTH:
                row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
            lines[row] = lines[row][:column].ljust(column) + char + lines[row][column + 1 :]
            column += 1
        elif verb == "A":
            row -= int(piece["number"] or 1)
        elif verb == "K":
            lines[row] = "" if piece["number"] == "2" else lines[row][:column]
        lines += [""] * (row + 1 - len(lines))
    return [line.rstrip() for line in lines if line.strip()]
