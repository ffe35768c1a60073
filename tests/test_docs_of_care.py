"""What the pages on retention, health and JSON name is what there is."""

import json
import re
from pathlib import Path

import pytest

from backupd.caution import Refusal
from backupd.health import Check
from backupd.retention import Rule
from conftest import Program

DOCS = Path(__file__).parent.parent / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_health_check_has_its_row() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", page("reference/health-checks.md"), re.MULTILINE)
    assert rows == list(Check)


@pytest.mark.parametrize("name", ["reference/json.md", "explanation/retention.md"])
def test_every_refusal_is_named(name: str) -> None:
    assert all(refusal in page(name) for refusal in Refusal)


def test_every_rule_is_named() -> None:
    text = " ".join(page("reference/json.md").split())
    assert [rule for rule in Rule if f"`{rule}`" not in text] == []


def test_every_field_that_is_printed_is_documented(program: Program) -> None:
    text = re.sub(r"`\.?([a-z_]+)(\[\])?`", r"`\1`", page("reference/json.md"))
    program("run")
    for command in (("clean", "--dry-run"), ("list", "--backups"), ("monitor",), ("doctor",)):
        document = json.loads(program(*command, "--json").out)
        assert [name for name in names_in(document) if f"`{name}`" not in text] == [], command


def names_in(document: object) -> set[str]:
    if isinstance(document, list):
        return set().union(*map(names_in, document))
    if isinstance(document, dict):
        return set(document).union(*map(names_in, document.values()))
    return set()
