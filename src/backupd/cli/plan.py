"""A retention plan as a table of 80 columns."""

from datetime import datetime
from typing import TYPE_CHECKING

from backupd.cli.render import table
from backupd.words import age, size

if TYPE_CHECKING:
    from backupd.model import Backup
    from backupd.retention import Plan, Verdict


def plan_table(set_name: str, plan: "Plan", now: datetime) -> str:
    """Give each backup a row, the newest first; names stand without what all have in common."""
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
    return table(headings, rows, right=(1, 2), colours=[_colour(each) for each in plan.verdicts])


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
