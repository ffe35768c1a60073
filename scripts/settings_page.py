"""Writes the tables of docs/reference/settings.md anew from the schema.

Run it with `.venv/bin/python scripts/settings_page.py`; with `--check` it writes nothing, prints
what would change and exits 1 if anything would.
"""

import difflib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Literal, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

from pydantic import BaseModel, SecretStr

from backupd.settings import kinds
from backupd.settings.schema import Destination
from backupd.settings.texts import as_text
from backupd.settings.variables import Variable, all_variables

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"
BEGIN = "<!-- The tables: written by scripts/settings_page.py, not by hand. -->\n"
HEAD = "| name | kind | default | meaning |\n|---|---|---|---|\n"
END = "<!-- The end of the tables. -->\n"
KINDS = (
    (bool, "`yes` or `no`"),
    (kinds.DatabaseUrl, "address, secret"),
    (kinds.Patterns, "list of gitignore patterns"),
    (kinds.Channels, "list of channels, or `none`"),
    (kinds.Addresses, "list of mail addresses"),
    (kinds.WebAddress, "address, secret"),
    (kinds.List, "list"),
    (kinds.AbsolutePath, "absolute path"),
    (Path, "path"),
    (kinds.SetName, "name"),
    (kinds.Schedule, "`HH:MM` or cron line"),
    (kinds.Positive, "whole number, 1 or more"),
    (kinds.Count, "whole number, 0 or more"),
    (kinds.OptionalCount, "whole number, or empty"),
    (kinds.Percent, "whole number, 0 to 100"),
    (kinds.Port, "port, 1 to 65535"),
    (kinds.Seconds, "seconds"),
    (kinds.Rate, "size, as `10MB`"),
    (ZoneInfo, "time zone"),
    (SecretStr, "text, secret"),
    (str, "text"),
)
"""Every kind of setting, and what it is called; the first that is equal counts."""


def tables() -> str:
    """Write a heading and a table for each section of the schema."""
    sections: dict[type[BaseModel], list[Variable]] = {}
    for variable in all_variables():
        sections.setdefault(variable.section, []).append(variable)
    for destination in get_args(get_args(Destination)[0]):
        sections[destination] = list(_destination(destination))
    return "".join(map(_table, sections.items()))


def _destination(section: type[BaseModel]) -> Iterator[Variable]:
    """Give all settings of a type of destination, those that every type has too."""
    for key, field in section.model_fields.items():
        name = f"BACKUP_DESTINATIONS__<NAME>__{key.upper()}"
        yield Variable(name=name, section=section, field=field)


def _table(section: tuple[type[BaseModel], list[Variable]]) -> str:
    title = re.sub(r"<(\w+)>", r"`<\1>`", " ".join((section[0].__doc__ or "").split()))
    return f"\n## {title.rstrip('.')}\n\n{HEAD}" + "".join(map(_row, section[1]))


def _row(variable: Variable) -> str:
    """Write a line; a default that the schema tells in words goes to its own column."""
    text = variable.description
    told = re.search(r" ?Default: ([^.]*)\.", text)
    default = told[1] if told else _default(variable)
    meaning = text.replace(told[0], "") if told else text
    return f"| `{variable.name}` | {_kind(variable)} | {default} | {_meaning(meaning)} |\n"


def _kind(variable: Variable) -> str:
    hints = get_type_hints(variable.section, include_extras=True)
    key = next(
        key for key, field in variable.section.model_fields.items() if field is variable.field
    )
    return _kind_of(hints[key])


def _kind_of(hint: object) -> str:
    for kind, words in KINDS:
        if hint == kind:
            return words
    if get_origin(hint) is Literal:
        *first, last = (f"`{each}`" for each in get_args(hint))
        return f"{', '.join(first)} or {last}" if first else last
    inner = [each for each in get_args(hint) if each is not NoneType]
    if not inner:
        sys.exit(f"scripts/settings_page.py has no words for {hint}: add it to KINDS.")
    return _kind_of(inner[0])


def _default(variable: Variable) -> str:
    if variable.field.is_required():
        return "must be set"
    text = as_text(variable.field.default)
    return f"`{text}`" if text else "none"


def _meaning(text: str) -> str:
    types = re.match(r"(?:local|s3): ", text)
    if types:
        rest = text.removeprefix(types[0])
        text = rest[:1].upper() + rest[1:]
    return text.replace("|", r"\|").replace("*", r"\*")


def page(now: str) -> str:
    """Give the page as it should be, from what it is."""
    before, _, rest = now.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{tables()}\n{END}{after}"


def main() -> int:
    """Write the page, or tell with `--check` what is wrong with it."""
    now = PAGE.read_text(encoding="utf-8")
    wanted = page(now)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    changes = difflib.unified_diff(now.splitlines(), wanted.splitlines(), "page", "schema", n=0)
    print(*changes, sep="\n")
    return int(now != wanted)


if __name__ == "__main__":
    sys.exit(main())
