"""Sentences of the program, known again by their looks and said in another language.

Findings and errors are written in English where they happen, with names and figures in them. The
catalog has what stays of each without those: `The backups hold %(A)s, more than %(B)s.` A text that
looks like that is said by its translation, with the same names and figures. What looks like none
comes from elsewhere: a server, a program, a rarer error.
"""

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from babel.messages.pofile import read_po

_HOLE = re.compile(r"%\((\w+)\)s")
_NUMBER = "number"
_PART = "part"


@dataclass(frozen=True, slots=True)
class _Phrase:
    """One entry of the catalog."""

    pattern: re.Pattern[str]
    translation: str
    is_part: bool
    """Whether it is no sentence by itself, as `3 backups`."""


def translated(text: str, code: str) -> str | None:
    """Say a sentence of the program in a language; None if it is not one that is known."""
    return _first(text, code, (each for each in _phrases(code) if not each.is_part))


def _first(text: str, code: str, phrases: Iterable[_Phrase]) -> str | None:
    for phrase in phrases:
        if match := phrase.pattern.fullmatch(text):
            values = {name: _value(name, text, code) for name, text in match.groupdict().items()}
            return phrase.translation % values
    return None


def _value(name: str, text: str, code: str) -> str:
    """Say what stands in a hole: as it is, or in its turn if the hole's name is in capitals."""
    if name == _NUMBER:
        return text.replace(".", ",")
    if name.isupper():
        return _first(text, code, _phrases(code)) or text
    return text


@cache
def _phrases(code: str) -> tuple[_Phrase, ...]:
    """Read the catalog; what says most by itself comes first, so that it is not taken for less."""
    source = (files("backupd.telling") / "locale" / f"{code}.sentences.po").read_bytes()
    entries = [entry for entry in read_po(io.BytesIO(source), locale=code) if entry.id]
    entries.sort(key=lambda entry: len(_HOLE.sub("", str(entry.id))), reverse=True)
    return tuple(
        _Phrase(
            pattern=_pattern(str(entry.id)),
            translation=str(entry.string),
            is_part=entry.context == _PART,
        )
        for entry in entries
    )


def _pattern(template: str) -> re.Pattern[str]:
    words = [re.escape(each.replace("%%", "%")) for each in _HOLE.split(template)[::2]]
    holes = [f"(?P<{name}>.*?)" for name in _HOLE.findall(template)]
    pairs = zip(words, [*holes, ""], strict=True)
    return re.compile("".join(word + hole for word, hole in pairs), re.DOTALL)
