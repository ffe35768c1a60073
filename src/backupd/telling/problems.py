"""One thing that is wrong, as people are told of it, and how it relates to others."""

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """How a problem relates to others, so that one dead destination is told once, not thrice."""

    BROKEN = "broken"
    """No backup is taken at all."""
    DOWN = "down"
    """A destination does not work, whoever noticed it."""
    STALE = "stale"
    """What follows from either: the newest backup is too old, copies are missing."""
    OWN = "own"
    """A matter of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong; the same thing has the same key in every run."""

    key: str
    """`what:place`, as `copy:offsite`; `:*` is the operation as a whole."""
    place: str = ""
    """The destination, or "" if it is not about one."""
    cause: Cause = Cause.OWN
    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How it came out at one destination."""

    destination: str
    good: bool
    text: str = ""
    """What went wrong, or what there is to say."""
