"""The documentation cannot lie: every name in it is one of the code's, and the other way round."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import get_type_hints

import click
import pytest

from backupd import errors
from backupd.cli.main import cli
from backupd.cli.run import EXIT_CODES
from backupd.model import (
    ArchiveHeader,
    DatabaseFacts,
    Manifest,
    ManifestEntry,
    MemberKind,
    Omission,
    OmissionReason,
    Scope,
)
from backupd.settings.texts import env_example
from backupd.settings.variables import all_variables, variable
from fakes.manifests import manifest_lines
from pages import BLOCK, DOCS, PAGES, README, ROOT, every_page, first_names, rows, section

REFERENCE = DOCS / "reference"

# ── pages and links ──────────────────────────────────────────────────────────────────────────


def test_the_readme_has_less_than_120_lines() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) < 120


def anchors(page: Path) -> set[str]:
    """Give the anchors of a page's headings, as GitHub makes them."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(page: Path) -> list[str]:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


@every_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "README.md"
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in links(index)}
    assert set(DOCS.rglob("*.md")) - {index} <= linked


# ── commands and their options ───────────────────────────────────────────────────────────────


def commands(group: click.Group, words: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


COMMANDS = dict(commands(cli, ("backupd",)))


def options(command: click.Command) -> set[str]:
    return {option for each in command.params for option in each.opts if option.startswith("--")}


GLOBAL = set.intersection(*map(options, COMMANDS.values())) | {"--help"}


def test_every_command_of_the_code_is_a_heading_and_no_other() -> None:
    page = (REFERENCE / "commands.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## `(backupd [^`]*)`$", page, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_in_its_section_and_no_other(name: str) -> None:
    text = section(REFERENCE / "commands.md", f"`{name}`")
    documented = set(re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE))
    assert documented == options(COMMANDS[name]) - GLOBAL


def test_the_options_of_every_command_are_in_a_section_of_their_own() -> None:
    text = section(REFERENCE / "commands.md", "Options of every command")
    assert set(re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE)) == GLOBAL


CALL = re.compile(
    r"""^(?:\$[ ])?(?:[A-Z_]+=\S*[ ])*         # a prompt, variables
        (?:sudo[ ](?:-\S+[ ](?:\w+[ ])?)*)?    # as another user
        (?:\((?:umask[ ]\d+;[ ])?)?            # in a shell of its own
        \S*(?:\bbackupd|scripts/run)[ ]       # the program, by any path
        (?P<words>(?:[a-z]|--)[^|;&<>#()]*)""",
    re.VERBOSE,
)


def calls(page: Path) -> Iterator[list[str]]:
    """Give the words after `backupd` of every command line on a page."""
    text = page.read_text(encoding="utf-8")
    lines = [
        line for kind, block in BLOCK.findall(text) if "sh" in kind for line in block.split("\n")
    ]
    spans = re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))
    for line in [*lines, *spans]:
        if found := CALL.match(line):
            yield found["words"].split()


@every_page
def test_no_page_shows_a_command_or_an_option_that_does_not_exist(page: Path) -> None:
    for words in calls(page):
        command: click.Command = cli
        known = GLOBAL | {"--version"}
        for word in words:
            if word.startswith("-"):
                assert word.partition("=")[0] in known, words
            elif isinstance(command, click.Group) and word in command.commands:
                command = command.commands[word]
                known = known | options(command)
        is_only_options = all(word.startswith("-") for word in words)
        assert not isinstance(command, click.Group) or is_only_options, words


@pytest.mark.parametrize("page", [page for page in PAGES if DOCS in page.parents])
def test_no_page_of_docs_names_an_option_that_does_not_exist(page: Path) -> None:
    spans = re.findall(r"`(--[a-z-]+)[^`\n]*`", BLOCK.sub("", page.read_text(encoding="utf-8")))
    known = GLOBAL.union({"--version"}, *map(options, COMMANDS.values()))
    assert set(spans) <= known


# ── settings ─────────────────────────────────────────────────────────────────────────────────


def test_the_tables_of_settings_are_what_the_schema_says() -> None:
    """If not, run: .venv/bin/python scripts/settings_page.py."""
    command = [sys.executable, str(ROOT / "scripts" / "settings_page.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_every_setting_has_a_row_and_no_other_has() -> None:
    """Read the page by itself, without trusting what wrote it."""
    page = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    row = re.compile(r"^\| `((?:BACKUP|AWS)_[^`]*)` \| \S.* \| \S.* \| \S.* \|$", re.MULTILINE)
    named = set(row.findall(page))
    assert named == {each.name for each in all_variables()}


OF_BOTO3 = {"AWS_CA_BUNDLE"}
"""Read from the process environment by the library, not from the env file."""


@every_page
def test_no_page_names_a_setting_that_does_not_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"\b(?:BACKUP|AWS)_[A-Z0-9_<>-]*[A-Z0-9>]\b", text):
        asked = name.replace("<NAME>", "X")
        is_section = any(each.name.startswith(f"{name}_") for each in all_variables())
        secret = variable(asked.removesuffix("_FILE"))
        is_secret = secret and secret.secret
        assert variable(asked) or is_section or is_secret or name in OF_BOTO3, name


def test_the_example_env_file_is_what_the_program_prints() -> None:
    """If not, run: .venv/bin/backupd config example > etc/backupd.env.example."""
    assert (ROOT / "etc" / "backupd.env.example").read_text(encoding="utf-8") == env_example()


# ── exit codes, and the manifest ─────────────────────────────────────────────────────────────


def error_tree(root: type[errors.BackupdError]) -> Iterator[type[errors.BackupdError]]:
    yield root
    for child in root.__subclasses__():
        yield from error_tree(child)


def test_every_exit_code_is_in_the_table_and_no_other() -> None:
    codes = {error.exit_code for error in error_tree(errors.BackupdError)}
    codes |= {0, click.UsageError.exit_code, *EXIT_CODES.values()}
    named = first_names(section(REFERENCE / "exit-codes.md", "Exit codes"))
    assert named == {str(code) for code in codes}


def test_every_error_is_named_with_its_exit_code() -> None:
    named = {
        (row[0].strip("`"), row[1])
        for row in rows(section(REFERENCE / "exit-codes.md", "Which error ends with which code"))
    }
    assert named == {
        (error.__name__, str(error.exit_code)) for error in error_tree(errors.BackupdError)
    }


def test_every_field_of_the_manifest_is_in_the_docs_and_no_other() -> None:
    page = REFERENCE / "manifest.md"
    header = ArchiveHeader(
        archive="a.zip",
        set_name="a",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        timezone="UTC",
        scope=Scope.FULL,
        version="1",
    )
    document = json.loads(
        b"".join(manifest_lines(Manifest(header=header, encrypted=False, entries=())))
    )
    assert first_names(section(page, "The head")) == set(document) - {"members"}
    assert first_names(section(page, "A member")) == set(get_type_hints(ManifestEntry))
    assert first_names(section(page, "A database")) == set(get_type_hints(DatabaseFacts))
    assert first_names(section(page, "An omission")) == set(get_type_hints(Omission))


@pytest.mark.parametrize("words", [MemberKind, Scope, OmissionReason])
def test_every_word_of_the_manifest_is_in_the_docs(
    words: type[MemberKind | Scope | OmissionReason],
) -> None:
    page = (REFERENCE / "manifest.md").read_text(encoding="utf-8")
    assert [word for word in words if f"`{word}`" not in page] == []


# ── the rooms of the house ───────────────────────────────────────────────────────────────────


def test_every_room_has_its_floor_and_no_other_has() -> None:
    found = {
        path.stem for path in (ROOT / "src" / "backupd").iterdir() if path.suffix in {"", ".py"}
    }
    table = rows(section(DOCS / "explanation" / "architecture.md", "Floors"))
    named = [name for row in table for name in re.findall(r"`(\w+)`", row[1])]
    assert set(named) == {name for name in found if not name.startswith("__")}
    assert len(named) == len(set(named))
