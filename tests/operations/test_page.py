"""The report: one page that needs nothing else."""

import re
from datetime import timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from typing_extensions import override

from backupd.logs import Redactor
from backupd.model import Outcome
from backupd.operations.page import report_page
from backupd.operations.status import Place, Status
from backupd.records import Run
from backupd.telling.language import Language
from backupd.telling.messages import Voice
from backupd.telling.notices import Open
from backupd.telling.problems import Problem
from conftest import Program
from fakes.accounts import MOMENT

DAY = timedelta(days=1)
VOID = {"meta", "br", "img", "link"}


def voice(code: str = "en", *secrets: str) -> Voice:
    language = Language(code=code, zone=ZoneInfo("UTC"))
    return Voice(set_name="shop", host="web1", language=language, clean=Redactor(secrets).clean)


def run(ago: int, outcome: Outcome = Outcome.SUCCEEDED, operation: str = "backup") -> Run:
    at = MOMENT - ago * DAY
    facts: dict[str, int | float | str] = {"bytes": 45_000_000 - ago * 100_000}
    return Run(
        run_id=f"{operation}-{ago}",
        operation=operation,
        started_at=at,
        ended_at=at + timedelta(minutes=3),
        outcome=outcome,
        error="It failed <b>badly</b>." if outcome is Outcome.FAILED else "",
        facts={} if outcome is Outcome.FAILED else facts,
    )


def page(*runs: Run, code: str = "en", problems: tuple[Open, ...] = ()) -> str:
    status = Status(
        set_name="shop",
        at=MOMENT,
        runs=runs,
        destinations=(Place(destination="local"),),
        problems=problems,
    )
    return report_page(status, voice(code, "geheim-geheim"))


class Balanced(HTMLParser):
    """Notes tags that are not closed in the right order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    @override
    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.mark.parametrize("code", ["en", "fr"])
def test_a_page_is_whole_and_comes_from_nowhere_else(code: str) -> None:
    html = page(*[run(ago) for ago in range(40)], run(3, operation="drill"), code=code)
    parser = Balanced()
    parser.feed(html)
    assert (parser.open, parser.wrong) == ([], [])
    assert "<script" not in html
    assert not re.search(r"\b(?:src|href)\s*=|url\(|@import", html)
    assert "default-src 'none'" in html


def test_the_calendar_has_a_square_for_each_day_of_half_a_year() -> None:
    html = page(run(0), run(1, Outcome.PARTIAL), run(2, Outcome.FAILED), run(2))
    squares = re.findall(r'<rect class="(\w+)"[^>]*><title>([\d-]+)', html)
    days = [day for _, day in squares]
    assert days == sorted(days)
    assert days[-1] == "2025-11-08"
    assert 25 * 7 < len(days) <= 26 * 7
    assert [outcome for outcome, _ in squares[-4:]] == [
        "none",
        "succeeded",
        "partial",
        "succeeded",
    ]


def test_the_curve_ends_at_the_right_and_the_largest_is_on_top() -> None:
    html = page(*[run(ago) for ago in range(10)])
    points = re.search(r'<polyline points="([^"]+)"', html)
    assert points
    pairs = [tuple(map(float, pair.split(","))) for pair in points[1].split()]
    assert (pairs[0][0], pairs[-1][0]) == (0, 720)
    assert min(pairs, key=lambda pair: pair[1]) == pairs[-1]
    assert "45 MB" in html


def test_a_set_that_never_ran_has_a_page_too() -> None:
    html = page()
    assert "Nothing has run yet" in html
    assert "<polyline" not in html
    assert "There has been none yet." in html


def test_problems_come_first_with_their_hints_and_without_secrets() -> None:
    problem = Problem(key="copy:local", place="local", text="geheim-geheim <i>", hint="Look.")
    html = page(run(0), problems=(Open(problem=problem, since=MOMENT, seen_at=MOMENT),))
    assert "A problem is known" in html
    assert "[hidden] &lt;i&gt;" in html
    assert "Look." in html


def test_an_error_is_text() -> None:
    assert "&lt;b&gt;badly" in page(run(0, Outcome.FAILED))


def test_the_command_writes_the_page(program: Program) -> None:
    program("run")
    done = program("report", "--html", str(program.folder / "report.html"))
    assert done.code == 0
    html = (program.folder / "report.html").read_text()
    assert "No problem is known" in html
    assert not list(program.folder.glob(".*partial"))


def test_a_page_that_cannot_be_written_is_said_so(program: Program) -> None:
    done = program("report", "--html", str(program.folder / "not-there" / "report.html"))
    assert done.code == 1
    assert "cannot be written" in done.err
