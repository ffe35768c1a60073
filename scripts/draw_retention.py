#!/usr/bin/env python3
"""Draws docs/explanation/retention.svg: what is held after five years, and how many on each day.

Run it with the project's own Python: .venv/bin/python scripts/draw_retention.py
"""

import sys
from datetime import UTC, datetime, time
from functools import cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from backupd.retention import Periods, Plan, Policy, Range, Rule, make_plan, ranges_of  # noqa: E402
from fakes.years import FIRST, LAST, OUTAGES, Years  # noqa: E402

TARGET = ROOT / "docs" / "explanation" / "retention.svg"
PARIS = ZoneInfo("Europe/Paris")
LEFT, WIDTH, SECTION = 92, 860, 150
COLOURS = {
    Rule.NEWEST: "#0b6e4f",
    Rule.ALL: "#0b6e4f",
    Rule.DAILY: "#2a7fba",
    Rule.WEEKLY: "#7b52ab",
    Rule.MONTHLY: "#c8553d",
    Rule.YEARLY: "#b08900",
}
NAMES = {
    Rule.ALL: "all",
    Rule.DAILY: "one a day",
    Rule.WEEKLY: "one a week",
    Rule.MONTHLY: "one a month",
    Rule.YEARLY: "one a year",
}


@cache
def lived(periods: Periods) -> tuple[Plan, tuple[Range, ...], datetime, list[int]]:
    """Live five years; give the last plan, its ranges, its moment, and the count of every day."""
    years = Years(policy=Policy(zone=PARIS, periods=periods), times=(time(1, 0),))
    counts, now = [], datetime.combine(FIRST, time(), tzinfo=UTC)
    for moment in years.days():
        counts.append(len(years.held))
        now = moment
    ranges = ranges_of(years.policy, now)
    return make_plan(years.policy, years.held, now), ranges, now, counts


def text(x: float, y: float, words: str, more: str = "") -> str:
    """Write words at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{words}</text>'


def place(moment: datetime, edges: list[datetime]) -> float:
    """Place a moment on an axis on which every range beyond the one before has the same width."""
    for number, (newer, older) in enumerate(pairwise(edges)):
        if moment >= older:
            return LEFT + (number + (newer - moment) / (newer - older)) * SECTION
    return LEFT + (len(edges) - 1) * SECTION


def timeline(periods: Periods, top: float) -> list[str]:
    """Draw what is held on the last day, by age, under the range of each rule."""
    plan, ranges, now, _ = lived(periods)
    edges = [now, *(each.start for each in ranges)]
    title = f"PERIODS={periods}: {len(plan.kept)} backups held"
    parts = [text(LEFT, top, title, 'class="title"')]
    for row, span in enumerate(ranges):
        y, colour = top + 22 + 16 * row, COLOURS[span.rule]
        end = place(span.start, edges)
        parts.append(text(LEFT - 8, y + 4, NAMES[span.rule], 'text-anchor="end"'))
        parts.append(
            f'<line x1="{LEFT}" x2="{end:.1f}" y1="{y}" y2="{y}" stroke="{colour}" '
            'stroke-width="6" stroke-linecap="round" opacity="0.35"/>'
        )
        label = f"{span.start.astimezone(PARIS):%Y-%m-%d}"
        parts.append(text(end, top + 128, label, 'text-anchor="middle" class="small"'))
    parts.append(text(LEFT, top + 128, "now", 'text-anchor="middle" class="small"'))
    for verdict in plan.kept:
        x, colour = place(verdict.backup.created_at, edges), COLOURS[verdict.rule]
        parts.append(
            f'<circle cx="{x:.1f}" cy="{top + 108}" r="4" fill="{colour}">'
            f"<title>{verdict.backup.key}: {verdict.reason}</title></circle>"
        )
    return parts


def chart(top: float) -> list[str]:
    """Draw how many backups are held on each day."""
    days, height, most = (LAST - FIRST).days, 120, 40
    scale = (5 * SECTION) / days
    title = "Backups held on each day of five years (grey: nothing ran)"
    parts = [text(LEFT, top, title, 'class="title"')]
    bottom = top + 16 + height
    for first, last in OUTAGES:
        x, width = LEFT + (first - FIRST).days * scale, ((last - first).days + 1) * scale
        parts.append(
            f'<rect x="{x:.1f}" y="{top + 16}" width="{max(width, 1.5):.1f}" height="{height}" '
            'fill="#bbb"/>'
        )
    for count in range(0, most + 1, 10):
        y = bottom - height * count / most
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + 750}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(text(LEFT - 8, y + 4, str(count), 'text-anchor="end"'))
    for year in range(FIRST.year + 1, LAST.year + 1):
        x = LEFT + (FIRST.replace(year=year, month=1, day=1) - FIRST).days * scale
        parts.append(text(x, bottom + 16, str(year), 'text-anchor="middle" class="small"'))
    for periods, colour in ((Periods.FROM_NOW, "#2a7fba"), (Periods.STACKED, "#c8553d")):
        counts = lived(periods)[-1]
        points = " ".join(
            f"{LEFT + day * scale:.1f},{bottom - height * count / most:.1f}"
            for day, count in enumerate(counts)
            if day % 3 == 0
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
        y = bottom - height * counts[-1] / most
        name = f"{periods}: {max(counts)} at most"
        parts.append(text(LEFT + 755, y + 4, name, f'fill="{colour}" class="small"'))
    return parts


def drawing() -> str:
    """Draw everything."""
    parts = [*timeline(Periods.FROM_NOW, 24), *timeline(Periods.STACKED, 184), *chart(350)]
    style = (
        "text{font:11px sans-serif;fill:#333}.title{font:bold 13px sans-serif}"
        ".small{font-size:10px}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 140} 520" '
        f'role="img" aria-label="What retention keeps">\n<style>{style}</style>\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(drawing(), encoding="utf-8")
