"""The pages of the documentation, as tests read them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
"""Not the changelog: it may tell of what is no more."""

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

BLOCK = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
"""A fenced block: its kind, and what is in it."""


def blocks(page: Path, kind: str) -> list[str]:
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for info, text in found if info == kind]


def section(page: Path, title: str) -> str:
    """Give what stands under a heading, up to the next heading of any level."""
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"^#+ {re.escape(title)}\n((?:(?!#+ ).*\n)*)", text, re.MULTILINE)
    assert found, f"{page.name} has no heading '{title}'"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Give the cells of a table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def first_names(text: str) -> set[str]:
    """Give the names in the first column of a table."""
    return {re.sub(r"[`*]", "", row[0]) for row in rows(text)}
