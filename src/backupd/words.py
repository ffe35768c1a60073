"""Sizes, ages and counts as people say them."""

import re
from collections.abc import Sequence
from datetime import timedelta

_SHORTEST = timedelta(seconds=1)


def size(count: int) -> str:
    """Say bytes in decimal units: `45.3 MB`, `225 MB`, `512 B`."""
    import humanize  # noqa: PLC0415  (costs 0.02 s)

    spoken = str(humanize.naturalsize(count)).replace(".0 ", " ")
    return re.sub(r" Bytes?$", " B", spoken).replace("kB", "KB")


def age(span: timedelta) -> str:
    """Say how long, in the largest unit: `12 hours`, `1 day`, `45 days`, `2 years`."""
    import humanize  # noqa: PLC0415  (costs 0.02 s)

    spoken = str(humanize.naturaldelta(max(span, _SHORTEST), months=False)).partition(",")[0]
    return re.sub(r"^an? ", "1 ", spoken)


def plural(count: int, noun: str) -> str:
    """Count what has a regular plural: `1 backup`, `2 backups`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def few(names: Sequence[str], shown: int = 3) -> str:
    """Name the first ones, and say how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
