"""A status as one web page for people: no script, nothing from elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from backupd import __version__
from backupd.model import Outcome
from backupd.operations.status import Status
from backupd.records import Run
from backupd.telling.messages import Voice, environment
from backupd.telling.wording import operation_name

_DAY = timedelta(days=1)
_WEEKS = 26
_CELL = 14
_RUNS = 20
_POINTS = 90
_WIDTH, _HEIGHT = 720, 160
_BEST_FIRST = (Outcome.SUCCEEDED, Outcome.PARTIAL, Outcome.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """One day of the calendar, and where it is drawn."""

    x: int
    y: int
    outcome: str
    """`succeeded`, `partial`, `failed`, or `none`."""
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The sizes of the last archives, as a line and the area below it."""

    line: str
    area: str
    largest: int
    first: datetime
    last: datetime


def report_page(status: Status, voice: Voice) -> str:
    """Write the page, in the voice's language."""
    backups = [run for run in status.runs if run.operation == "backup"]
    language = voice.language
    html = (
        environment(language)
        .get_template("report.html")
        .render(
            status=status,
            voice=voice,
            squares=_calendar(backups, status.at, voice),
            months=_months(status.at, voice),
            cell=_CELL,
            calendar_width=_WEEKS * _CELL,
            curve=_curve(backups),
            width=_WIDTH,
            height=_HEIGHT,
            runs=status.runs[:_RUNS],
            last_drill=next((run for run in status.runs if run.operation == "drill"), None),
            name_of=lambda operation: operation_name(operation, language.gettext),
            outcomes=_outcomes(voice),
            version=__version__,
        )
    )
    return voice.clean(html)


def _outcomes(voice: Voice) -> Mapping[str, str]:
    _ = voice.language.gettext
    return {
        "succeeded": _("succeeded"),
        "partial": _("partial"),
        "failed": _("failed"),
        "none": _("none"),
    }


def _calendar(backups: Sequence[Run], now: datetime, voice: Voice) -> list[Square]:
    """Give a square for each day of half a year: columns are weeks, Monday on top."""
    by_day: dict[date, list[Outcome]] = {}
    for run in backups:
        day = run.started_at.astimezone(voice.language.zone).date()
        by_day.setdefault(day, []).append(run.outcome)
    today = now.astimezone(voice.language.zone).date()
    first = today - timedelta(days=today.weekday()) - (_WEEKS - 1) * 7 * _DAY
    words = _outcomes(voice)
    squares = []
    for ago in range((today - first).days + 1):
        day = first + ago * _DAY
        found = by_day.get(day, [])
        outcome = next((each.value for each in _BEST_FIRST if each in found), "none")
        title = f"{day.isoformat()}: {words[outcome]}"
        x, y = ago // 7 * _CELL, ago % 7 * _CELL
        squares.append(Square(x=x, y=y, outcome=outcome, title=title))
    return squares


def _months(now: datetime, voice: Voice) -> list[tuple[int, str]]:
    """Give the names of months, and above which column each stands."""
    today = now.astimezone(voice.language.zone).replace(hour=12)
    monday = today - today.weekday() * _DAY
    found: list[tuple[int, str]] = []
    before = 0
    for column in range(_WEEKS):
        week = monday - (_WEEKS - 1 - column) * 7 * _DAY
        if week.month != before and (found or column == 0 or week.day <= 7):  # noqa: PLR2004
            found.append((column * _CELL, voice.language.month(week)))
        before = week.month
    return found


def _curve(backups: Sequence[Run]) -> Curve | None:
    """Draw the sizes over time; None if there are fewer than two."""
    sized = [run for run in reversed(backups) if int(run.facts.get("bytes", 0)) > 0][-_POINTS:]
    if len(sized) < 2:  # noqa: PLR2004
        return None
    sizes = [int(run.facts["bytes"]) for run in sized]
    first, last = sized[0].started_at, sized[-1].started_at
    span = max((last - first).total_seconds(), 1)
    points = [
        (
            _WIDTH * (run.started_at - first).total_seconds() / span,
            _HEIGHT - _HEIGHT * 0.92 * size / max(sizes),
        )
        for run, size in zip(sized, sizes, strict=True)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Curve(
        line=line,
        area=f"0,{_HEIGHT} {line} {_WIDTH},{_HEIGHT}",
        largest=max(sizes),
        first=first,
        last=last,
    )
