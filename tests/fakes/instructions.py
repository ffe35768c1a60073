"""RESTORE.txt followed to the letter, as a shell script."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

EXTRACTORS = ("unzip", "7z", "bsdtar")


def commands(text: str, language: int) -> list[str]:
    """Take the commands out of one language's half."""
    half = text.split("-" * 78)[language]
    return [line.strip() for line in half.splitlines() if line.startswith("     ")]


def _program(line: str) -> str:
    return "bsdtar" if "bsdtar" in line else line.split(maxsplit=1)[0]


def followed(
    text: str,
    folder: Path,
    values: Mapping[str, str],
    *,
    extractor: str = "unzip",
    language: int = 0,
    said: str = "",
    environment: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run all commands but those of other extractors, with values of one's own for variables."""
    script = ["set -e"]
    for line in commands(text, language):
        variable = line.partition("=")[0]
        if variable in values:
            script.append(f"{variable}='{values[variable]}'")
        elif _program(line) not in EXTRACTORS or _program(line) == extractor:
            script.append(line)
    return subprocess.run(
        ["setsid", "sh", "-c", "\n".join(script)],
        cwd=folder,
        input=said,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
