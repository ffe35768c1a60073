"""What a report says is wrong, what it says is well, and how it came out at each destination."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from backupd.cleaning import Cleaning, CleanReport
from backupd.events import Report
from backupd.health import Health, MonitorReport
from backupd.model import Outcome, Scope
from backupd.reports import BackupReport, Copy, DeliveryReport, Proof, ProofReport
from backupd.telling.problems import Cause, Problem, Row

_NAMED = 5
_CAUSES = {
    "reachable": Cause.DOWN,
    "age": Cause.STALE,
    "count": Cause.STALE,
    "undelivered": Cause.STALE,
    "missed-runs": Cause.STALE,
    "failing-backups": Cause.STALE,
}
"""Of findings and refusals; all others are a matter of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a report comes to."""

    problems: tuple[Problem, ...] = ()
    checked: tuple[str, ...] = ()
    """The keys, or beginnings of keys, of all problems that would have been found."""
    holding: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By destination, all archives that it was seen to hold; what is wrong with others is over."""
    rows: tuple[Row, ...] = ()
    figures: Mapping[str, int | str] = field(default_factory=dict)


def found_in(report: Report, operation: str, set_name: str) -> Found:
    """Take a report apart; of one of another shape only the outcome is known."""
    whole = f"{operation}:*"
    outcome = report.outcome
    if isinstance(report, BackupReport):
        return _in_backup(report)
    if isinstance(report, DeliveryReport):
        copied = _in_copies(report.copies)
        return replace(copied, checked=(whole, *copied.checked))
    if isinstance(report, MonitorReport):
        return _in_health(report.healths, whole, set_name)
    if isinstance(report, ProofReport):
        return _in_proofs(report.proofs, operation)
    if isinstance(report, CleanReport):
        return _in_clean(report.destinations)
    problem = Problem(key=whole, text=f"The operation '{operation}' ended {outcome}.")
    return Found(problems=() if outcome is Outcome.SUCCEEDED else (problem,), checked=(whole,))


def _in_backup(report: BackupReport) -> Found:
    archive = report.archive
    whole = ("backup:*", "backup:left-out") if archive.scope is Scope.FULL else ()
    copied = _in_copies((*report.copies, *report.late))
    return Found(
        problems=(*copied.problems, *_of_backup(report)),
        checked=(*whole, "deliver:*", *copied.checked),
        rows=copied.rows,
        figures={
            "backup": archive.name,
            "bytes": archive.size,
            "members": archive.members,
            "content_bytes": archive.content_bytes,
        },
    )


def _in_copies(copies: Sequence[Copy]) -> Found:
    """One row for each destination: what it did not take, or that it took all."""
    failed = {copy.destination: copy for copy in reversed(copies) if not copy.succeeded}
    places = list(dict.fromkeys(copy.destination for copy in copies))
    return Found(
        problems=tuple(
            Problem(
                key=f"copy:{place}",
                place=place,
                cause=Cause.DOWN,
                text=failed[place].error,
                hint=failed[place].hint,
            )
            for place in places
            if place in failed and failed[place].required
        ),
        checked=tuple(f"copy:{place}" for place in places),
        rows=tuple(
            Row(
                destination=place,
                good=place not in failed,
                text=failed[place].error if place in failed else "",
            )
            for place in places
        ),
    )


def _of_backup(report: BackupReport) -> Iterator[Problem]:
    missing = [each for each in report.archive.omissions if not each.harmless]
    if missing:
        named = ", ".join(f"{each.path} ({each.reason})" for each in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        yield Problem(
            key="backup:left-out",
            text=f"Not in the archive: {named}{more}.",
            hint="Let backupd read them, or exclude them with BACKUP_SOURCE__EXCLUDE.",
        )
    if report.outcome is Outcome.FAILED and not any(copy.required for copy in report.copies):
        yield Problem(
            key="backup:*", cause=Cause.BROKEN, text="No destination holds a copy of the archive."
        )


def _in_health(healths: Sequence[Health], whole: str, set_name: str) -> Found:
    problems = [
        Problem(
            key=f"monitor:{each.destination}/{each.set_name}:{finding.check}",
            place=each.destination,
            cause=_CAUSES.get(finding.check, Cause.OWN),
            text=finding.message,
            hint=finding.hint,
        )
        for each in healths
        for finding in each.findings
    ]
    return Found(
        problems=tuple(problems),
        checked=(whole, *(f"monitor:{each.destination}/{each.set_name}" for each in healths)),
        rows=tuple(
            Row(
                destination=each.destination
                if each.set_name == set_name
                else f"{each.destination} ({each.set_name})",
                good=not each.findings,
                text=" ".join(finding.message for finding in each.findings),
            )
            for each in healths
        ),
    )


def _in_clean(cleanings: Sequence[Cleaning]) -> Found:
    found: list[Problem] = []
    rows: list[Row] = []
    for each in cleanings:
        mine = list(_of_cleaning(each))
        found += mine
        text = " ".join(problem.text for problem in mine)
        rows.append(Row(destination=each.destination, good=not mine, text=text))
    checked = ("clean:*", *(f"clean:{each.destination}" for each in cleanings))
    holding = {
        each.destination: frozenset(
            verdict.backup.key for verdict in each.plan.verdicts if verdict not in each.removed
        )
        for each in cleanings
        if not each.error and not each.objections
    }
    return Found(problems=tuple(found), checked=checked, holding=holding, rows=tuple(rows))


def _of_cleaning(each: Cleaning) -> Iterator[Problem]:
    key, place = f"clean:{each.destination}", each.destination
    if each.error:
        yield Problem(
            key=f"{key}:reachable", place=place, cause=Cause.DOWN, text=each.error, hint=each.hint
        )
    for objection in each.objections:
        yield Problem(
            key=f"{key}:{objection.refusal}",
            place=place,
            cause=_CAUSES.get(objection.refusal, Cause.OWN),
            text=objection.message,
            hint=objection.hint,
        )
    if each.failed:
        first = each.failed[0]
        text = f"{first.backup.key} is still there: {first.error}"
        yield Problem(key=f"{key}:not-removed", place=place, text=text, hint=first.hint)


def _in_proofs(proofs: Sequence[Proof], operation: str) -> Found:
    """A drill is always of the newest backups, so a good one ends what was wrong with another."""

    def key(each: Proof) -> str:
        return f"{operation}:{each.destination}" + ("" if operation == "drill" else f":{each.key}")

    bad = [each for each in proofs if each.error or each.flaws]
    problems = [
        Problem(
            key=key(each),
            place=each.destination,
            cause=Cause.OWN if each.flaws else Cause.STALE,
            text=_of_proof(each),
            hint=each.hint or "Take a new backup, and look what damaged this one.",
        )
        for each in bad
    ]
    return Found(
        problems=tuple(problems),
        checked=(f"{operation}:*", *map(key, proofs)),
        rows=tuple(
            Row(
                destination=each.destination,
                good=each not in bad,
                text=_of_proof(each) if each in bad else each.key,
            )
            for each in proofs
        ),
    )


def _of_proof(each: Proof) -> str:
    if each.error:
        return each.error
    first = each.flaws[0]
    where = f"{first.path}: " if first.path else ""
    more = f" (and {len(each.flaws) - 1} more)" if len(each.flaws) > 1 else ""
    return f"{each.key} at '{each.destination}' is damaged: {where}{first.what}{more}"
