"""Gitignore patterns, asked once per path."""

import re
from collections.abc import Callable, Sequence
from itertools import groupby

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern


class Excluder:
    """Tells whether gitignore patterns exclude a path; the last pattern that matches decides.

    Parents come first: the caller does not ask about anything below an excluded directory, as
    git does not. Patterns of the same sense that follow each other are joined into one regular
    expression, which makes a question cost 1 µs instead of 2 µs per pattern.

    Raises:
        ValueError: a pattern is not one that git would take.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        known = [GitIgnoreSpecPattern(pattern) for pattern in patterns]
        rules = [(rule.include is True, rule.regex.pattern) for rule in known if rule.regex]
        self._rules: list[tuple[bool, Callable[[str], re.Match[str] | None]]] = [
            (excluded, _joined([expression for _, expression in group]))
            for excluded, group in groupby(reversed(rules), key=lambda rule: rule[0])
        ]

    def excludes(self, path: str, *, is_directory: bool) -> bool:
        """Tell whether `path`, relative and `/`-separated, is to be left out."""
        asked = f"{path}/" if is_directory else path
        for excluded, matches in self._rules:
            if matches(asked):
                return excluded
        return False


def _joined(expressions: Sequence[str]) -> Callable[[str], re.Match[str] | None]:
    """Make one expression of several; names may hold newlines, which `.` does not expect."""
    return re.compile("|".join(map(_about_one_path, expressions)), re.DOTALL).search


def _about_one_path(expression: str) -> str:
    """Make pathspec's expression, which matches all that is below too, match one path only."""
    if expression.endswith("/"):  # 'a/**' is about what is in 'a'
        return f"(?:{expression}.)"
    whole = expression.replace("(?:(?P<ps_d>/)|$)", r"/?\Z").replace("(?P<ps_d>/)", r"/\Z")
    return f"(?:{whole})"
