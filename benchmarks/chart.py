"""Draws results.json as an SVG of bars: benchmarks/chart.py RESULTS SUITE wall|cpu > FILE.svg."""

import json
import statistics
import sys
from html import escape
from pathlib import Path

ROW, LEFT, WIDTH, RIGHT = 26, 190, 420, 90


def chart(results: list[dict[str, object]], suite: str, what: str) -> str:
    """Return the chart of one suite: seconds by tool, the least first."""
    rows = [(str(row["tool"]), row[what]) for row in results if row["suite"] == suite]
    walls = [(tool, statistics.median(wall)) for tool, wall in rows if isinstance(wall, list)]
    walls.sort(key=lambda row: row[1])
    longest = max(wall for _, wall in walls)
    height = ROW * len(walls) + 16
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + RIGHT}" '
        f'height="{height}" font-family="sans-serif" font-size="13" role="img" '
        f'aria-label="{escape(what)} seconds by tool, {escape(suite)}">'
    )
    lines = [start, '<rect width="100%" height="100%" fill="#ffffff"/>']
    for number, (tool, wall) in enumerate(walls):
        top, length = 8 + ROW * number, max(2.0, WIDTH * wall / longest)
        colour = "#1f6feb" if tool.startswith("backupd") else "#b8bfc9"
        text = f'<text y="{top + 17}" fill="#222222"'
        bar = f'<rect x="{LEFT}" y="{top + 3}" width="{length:.1f}" height="18" fill="{colour}"/>'
        lines += [
            f'{text} x="{LEFT - 8}" text-anchor="end">{escape(tool)}</text>',
            bar,
            f'{text} x="{LEFT + length + 6:.1f}">{wall:.1f} s</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(chart(json.loads(Path(sys.argv[1]).read_text()), *sys.argv[2:4]))
