"""What the doctor says of one thing that it looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How it stands."""

    GOOD = "pass"
    DOUBTFUL = "warn"
    BAD = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One line of the deployment check-list."""

    subject: str
    grade: Grade
    message: str
    hint: str = ""
    """What to do; "" where nothing needs to be done."""


def good(subject: str, message: str) -> Diagnosis:
    """Say that it is as it should be."""
    return Diagnosis(subject=subject, grade=Grade.GOOD, message=message)


def doubtful(subject: str, message: str, hint: str) -> Diagnosis:
    """Say what should be looked at."""
    return Diagnosis(subject=subject, grade=Grade.DOUBTFUL, message=message, hint=hint)


def bad(subject: str, message: str, hint: str) -> Diagnosis:
    """Say what keeps backups from being taken, kept or restored."""
    return Diagnosis(subject=subject, grade=Grade.BAD, message=message, hint=hint)
