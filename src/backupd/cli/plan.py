"""A retention plan as a table, of 80 columns or of as many as there are."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from backupd.cli.render import columns, table
from backupd.words import age, size

if TYPE_CHECKING:
    from backupd.model import Backup
    from backupd.retention import Plan, Verdict

_NUMBERS = (1, 2)
"""The columns that are right-aligned."""


def plan_table(set_name: str, plan: "Plan", now: datetime) -> str:
    """Give each backup a row, the newest first; names stand without what all have in common.

    Where rows are too long for the terminal, the reason stands below.
    """
    prefix = f"{set_name}-"
    rows = [
        (
            verdict.backup.key.removeprefix(prefix).removesuffix(".zip"),
            size(verdict.backup.size),
            age(now - verdict.backup.created_at),
            {True: "yes", False: "no", None: "?"}[verdict.backup.encrypted],
            _verified(verdict.backup),
            _why(verdict),
        )
        for verdict in plan.verdicts
    ]
    headings = (f"{prefix}….zip", "Size", "Age", "Enc", "Ver", "Why it stays, or ✗ goes")
    colours = [_colour(each) for each in plan.verdicts]
    wide = table(headings, rows, right=_NUMBERS, colours=colours)
    if max(map(len, table(headings, rows).splitlines())) <= columns():
        return wide
    short = table(("Name", *headings[1:-1]), [row[:-1] for row in rows], _NUMBERS, colours)
    head, line, *backups = short.splitlines()
    reasons = [click.style(f"  {row[-1]}", fg=fg) for row, fg in zip(rows, colours, strict=True)]
    below = (f"{row}\n{reason}" for row, reason in zip(backups, reasons, strict=True))
    return "\n".join([head, line, *below])


def _why(verdict: "Verdict") -> str:
    scope = verdict.backup.scope
    series = "" if scope == "full" else f"{scope}: "
    return f"{'' if verdict.kept else '✗ '}{series}{verdict.reason}"


def _verified(backup: "Backup") -> str:
    return {"proved": "yes", "damaged": "BAD", "unproved": "-"}[backup.condition]


def _colour(verdict: "Verdict") -> str | None:
    if verdict.backup.condition == "damaged":
        return "red"
    return None if verdict.kept else "yellow"
