"""Reports taken apart: what is wrong, under which key, and what else was looked at."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from backupd.caution import Objection, Refusal
from backupd.cleaning import Cleaning, CleanReport, FailedRemoval
from backupd.events import Report
from backupd.health import Check, Finding, Health, MonitorReport
from backupd.history import History
from backupd.model import Backup, Outcome
from backupd.observers.record import Recorder
from backupd.reports import BackupReport, DeliveryReport, Flaw, Proof, ProofReport
from backupd.retention import Plan, Rule, Verdict
from backupd.telling.accounts import account_of_missed
from backupd.telling.findings import found_in
from backupd.telling.notices import Memory, Policy, Topic, decide
from backupd.telling.problems import Cause
from fakes.accounts import MOMENT, backed_up, ended
from fakes.accounts import Report as Plain


def finding(check: Check) -> Finding:
    return Finding(check=check, message="It is wrong.", hint="Look.")


def health(
    destination: str, findings: Sequence[Finding] = (), set_name: str = "shop", count: int = 5
) -> Health:
    backup = Backup(
        set_name=set_name, destination=destination, key="k.zip", created_at=MOMENT, size=45
    )
    return Health(
        set_name=set_name,
        destination=destination,
        count=count,
        total_bytes=count * 45,
        newest=backup if count else None,
        oldest=backup if count else None,
        findings=tuple(findings),
    )


def objection(refusal: Refusal) -> Objection:
    return Objection(refusal=refusal, message="It looks like an accident.", hint="Look.")


def verdict(key: str, rule: Rule = Rule.OLD) -> Verdict:
    backup = Backup(set_name="shop", destination="c", key=key, created_at=MOMENT, size=45)
    return Verdict(backup=backup, rule=rule, reason="")


def not_removed(error: str, key: str = "k.zip") -> FailedRemoval:
    return FailedRemoval(backup=verdict(key).backup, error=error, hint="Look.")


def proof(destination: str, key: str = "shop-1.zip", *flaws: Flaw, error: str = "") -> Proof:
    return Proof(
        destination=destination, key=key, at=MOMENT, seconds=1, flaws=flaws, error=error, hint=""
    )


def keys(report: Report, operation: str) -> dict[str, Cause]:
    found = found_in(report, operation, "shop")
    return {each.key: each.cause for each in found.problems}


def test_each_finding_is_a_problem_of_its_own_and_a_dead_destination_is_down() -> None:
    findings = [finding(Check.REACHABLE), finding(Check.AGE), finding(Check.SHRUNK)]
    report = MonitorReport(healths=(health("local"), health("offsite", findings)))
    assert keys(report, "monitor") == {
        "monitor:offsite/shop:reachable": Cause.DOWN,
        "monitor:offsite/shop:age": Cause.STALE,
        "monitor:offsite/shop:shrunk": Cause.OWN,
    }
    found = found_in(report, "monitor", "shop")
    assert [(row.destination, row.good) for row in found.rows] == [
        ("local", True),
        ("offsite", False),
    ]
    assert "monitor:local/shop" in found.checked


def test_another_set_on_the_same_destination_is_named() -> None:
    report = MonitorReport(healths=(health("local", [finding(Check.AGE)], "other"),))
    found = found_in(report, "monitor", "shop")
    assert found.rows[0].destination == "local (other)"
    assert found.checked == ("monitor:*", "monitor:local/other")


def test_a_clean_tells_dead_destinations_refusals_and_what_could_not_be_removed() -> None:
    refused = (objection(Refusal.TOO_MANY), objection(Refusal.FAILING_BACKUPS))
    left = (not_removed("It is locked."), not_removed("So is this."))
    report = CleanReport(
        destinations=(
            Cleaning(destination="a", error="It is down."),
            Cleaning(destination="b", objections=refused),
            Cleaning(destination="c", failed=left),
            Cleaning(destination="d"),
        )
    )
    assert keys(report, "clean") == {
        "clean:a:reachable": Cause.DOWN,
        "clean:b:too-many": Cause.OWN,
        "clean:b:failing-backups": Cause.STALE,
        "clean:c:not-removed": Cause.OWN,
    }


def test_a_clean_tells_what_is_still_there() -> None:
    stays, goes, is_locked = verdict("1.zip", Rule.NEWEST), verdict("2.zip"), verdict("3.zip")
    report = CleanReport(
        destinations=(
            Cleaning(destination="a", error="It is down."),
            Cleaning(
                destination="b",
                plan=Plan(verdicts=(stays, goes, is_locked)),
                removed=(goes,),
                failed=(not_removed("It is locked.", "3.zip"),),
            ),
        )
    )
    assert found_in(report, "clean", "shop").holding == {"b": {"1.zip", "3.zip"}}


def test_a_proof_tells_damage_and_what_could_not_be_read() -> None:
    flaws = (
        Flaw(what="its bytes are others", path="app/x.php"),
        Flaw(what="y"),
        Flaw(what="z"),
    )
    damaged = proof("a", "shop-1.zip", *flaws)
    report = ProofReport(proofs=(damaged, proof("b", error="It is down."), proof("c")))
    assert keys(report, "verify") == {
        "verify:a:shop-1.zip": Cause.OWN,
        "verify:b:shop-1.zip": Cause.STALE,
    }
    text = found_in(report, "verify", "shop").problems[0].text
    assert text == "shop-1.zip at 'a' is damaged: app/x.php: its bytes are others (and 2 more)"


def test_a_good_drill_of_a_newer_backup_ends_what_was_wrong_with_an_older_one() -> None:
    bad = found_in(ProofReport(proofs=(proof("a", "shop-1.zip", Flaw(what="x")),)), "drill", "shop")
    good = found_in(ProofReport(proofs=(proof("a", "shop-2.zip"),)), "drill", "shop")
    assert bad.problems[0].key in good.checked


def test_a_late_delivery_that_fails_is_a_problem_of_its_destination_once() -> None:
    event = backed_up(down=["offsite"])
    assert isinstance(event.report, BackupReport)
    late = replace(event.report, late=event.report.copies)
    assert keys(late, "backup") == {"copy:offsite": Cause.DOWN}
    assert [row.good for row in found_in(late, "backup", "shop").rows] == [True, False]
    delivered = DeliveryReport(copies=event.report.copies, finished_at=MOMENT)
    assert keys(delivered, "deliver") == {"copy:offsite": Cause.DOWN}
    made = DeliveryReport(
        copies=tuple(copy for copy in event.report.copies if copy.succeeded), finished_at=MOMENT
    )
    assert found_in(made, "deliver", "shop").checked == ("deliver:*", "copy:local")


def test_a_report_of_another_shape_is_as_good_as_its_outcome() -> None:
    assert keys(Plain(Outcome.SUCCEEDED), "clean") == {}
    assert keys(Plain(Outcome.PARTIAL), "clean") == {"clean:*": Cause.OWN}


def test_what_a_health_check_saw_is_kept(tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite")
    report = MonitorReport(
        healths=(
            health("local"),
            health("offsite", [finding(Check.REACHABLE)], count=0),
            health("local", set_name="other", count=99),
        )
    )
    Recorder(history)(replace(ended(MOMENT, "monitor"), report=report))
    seen = history.sightings()
    assert (seen["local"].count, seen["local"].bytes, seen["local"].healthy) == (5, 225, True)
    assert (seen["offsite"].reachable, seen["offsite"].healthy) == (False, False)
    assert seen["local"].newest == MOMENT


def test_missed_runs_are_told_once_a_week_at_the_most() -> None:
    memory = Memory()
    topics: list[Topic] = []
    for day in range(10):
        at = MOMENT + timedelta(days=day)
        account = account_of_missed("backup", at, at, 1, at)
        decision = decide(account, memory, Policy())
        memory = decision.memory
        topics += [notice.topic for notice in decision.notices]
    assert topics == [Topic.MISSED_RUN] * 2
    last = MOMENT + timedelta(days=2)
    text = account_of_missed("backup", MOMENT, last, 3, last).problems[0].text
    assert "3 times between 2025-11-08 01:00 and 2025-11-10 01:00 UTC" in text
