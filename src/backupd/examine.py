"""The health checks: what is seen, limits, now → everything that is wrong.

A backup set whose newest backup is young can be ill all the same: a dump of 0 bytes is young too.
So each check looks at another thing, and all of them are made every time.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median

from backupd.health import Check, Finding, Health, Limits, Observed
from backupd.model import Backup, Condition, DatabaseFacts, Scope
from backupd.row_counts import named, shrunk_tables
from backupd.words import age, few, plural, size

CLOCK_TOLERANCE = timedelta(minutes=5)
"""S3 refuses requests from 15 minutes on; a clock that is 5 off is on its way there."""
COMPARED, COMPARED_AT_LEAST = 10, 3
"""How many earlier backups the newest is compared with."""


def examine(seen: Observed, limits: Limits, now: datetime) -> Health:
    """Make every check; when the destination is out of reach, those that need no answer from it."""
    ordered = sorted(seen.backups, key=lambda backup: backup.rank[1:], reverse=True)
    line = _main_line(ordered, now)
    findings = [*_out_of_reach(seen)]
    if not findings:
        findings += [
            *_count(seen, ordered, limits),
            *_age(line, limits, now),
            *_total_size(ordered, limits),
            *_shrunk(line, limits),
            *_databases_shrunk(line, seen.dump_sizes, limits),
            *_rows_shrunk(line, seen.databases, limits),
            *_left_out(line, seen.left_out),
            *_damaged(ordered),
            *_verified(ordered, limits, now),
            *_future(ordered, now),
            *_free_space(seen, line, limits),
            *_clock(seen),
            *_leftovers(seen),
        ]
    findings += [*_undelivered(seen), *_missed_runs(seen)]
    return Health(
        set_name=seen.set_name,
        destination=seen.destination,
        count=len(ordered),
        total_bytes=sum(backup.size for backup in ordered),
        newest=line[0] if line else None,
        oldest=ordered[-1] if ordered else None,
        findings=tuple(findings),
    )


def _main_line(newest_first: Sequence[Backup], now: datetime) -> list[Backup]:
    """Take the good backups that say how the set is: the full ones, if it has any."""
    good = [
        backup
        for backup in newest_first
        if backup.created_at <= now and backup.condition is not Condition.DAMAGED
    ]
    return [backup for backup in good if backup.scope is Scope.FULL] or good


def _out_of_reach(seen: Observed) -> Iterator[Finding]:
    if seen.error:
        yield Finding(check=Check.REACHABLE, message=seen.error, hint=seen.hint)


def _count(seen: Observed, backups: Sequence[Backup], limits: Limits) -> Iterator[Finding]:
    if not backups:
        yield Finding(
            check=Check.COUNT,
            message="There is no backup.",
            hint="Take one with 'backupd run'; if there have been some, find out who removed them.",
        )
    elif len(backups) < min(seen.delivered, limits.keep_at_least):
        yield Finding(
            check=Check.COUNT,
            message=f"Only {plural(len(backups), 'backup')} of the {seen.delivered} that were "
            f"delivered is left, and at least {limits.keep_at_least} should be.",
            hint="backupd itself never goes below that: find out who or what removes them.",
        )


def _age(line: Sequence[Backup], limits: Limits, now: datetime) -> Iterator[Finding]:
    if line and now - line[0].created_at > limits.max_age:
        yield Finding(
            check=Check.AGE,
            message=f"The newest good backup is {age(now - line[0].created_at)} old, more than "
            f"{age(limits.max_age)}.",
            hint="Look at the last runs with 'backupd status', and take a backup: 'backupd run'.",
        )


def _total_size(backups: Sequence[Backup], limits: Limits) -> Iterator[Finding]:
    total = sum(backup.size for backup in backups)
    if limits.max_bytes is not None and total > limits.max_bytes:
        yield Finding(
            check=Check.TOTAL_SIZE,
            message=f"The backups hold {size(total)}, more than {size(limits.max_bytes)}.",
            hint="Run 'backupd clean', keep less, or raise BACKUP_MONITOR__MAX_MEGABYTES and "
            "BACKUP_RETENTION__MAX_MEGABYTES.",
        )


def _shrunk(line: Sequence[Backup], limits: Limits) -> Iterator[Finding]:
    usual = _usual([backup.size for backup in line[1:]])
    if line and usual and _fell(line[0].size, usual, limits):
        yield Finding(
            check=Check.SHRUNK,
            message=f"The newest backup has {size(line[0].size)}; the ones before it have "
            f"{size(round(usual))}.",
            hint="Look for files or tables that are gone; 'backupd list --backups' shows since "
            "when. If it is meant, it is no finding any more after a few backups.",
        )


def _databases_shrunk(
    line: Sequence[Backup], sizes: Mapping[str, Mapping[str, int]], limits: Limits
) -> Iterator[Finding]:
    newest = sizes.get(line[0].key, {}) if line else {}
    earlier = [sizes[backup.key] for backup in line[1:] if backup.key in sizes]
    for database, bytes_now in sorted(newest.items()):
        usual = _usual([dumps[database] for dumps in earlier if database in dumps])
        if usual and _fell(bytes_now, usual, limits):
            yield Finding(
                check=Check.DATABASE_SHRUNK,
                message=f"The newest dump of the database '{database}' has {size(bytes_now)}; the "
                f"ones before it have {size(round(usual))}.",
                hint="Look whether tables or rows are gone, or another database is dumped: "
                f"BACKUP_DATABASES__{database.upper()}__URL.",
            )


def _rows_shrunk(
    line: Sequence[Backup], databases: Mapping[str, Sequence[DatabaseFacts]], limits: Limits
) -> Iterator[Finding]:
    newest, *earlier = [databases.get(backup.key, ()) for backup in line] or [()]
    for facts in sorted(newest, key=lambda each: each.name):
        before = [each for dumps in earlier for each in dumps if each.name == facts.name]
        if shrunk := shrunk_tables(facts, before, limits.max_shrink_percent):
            yield Finding(
                check=Check.ROWS_SHRUNK,
                message=f"The newest dump of the database '{facts.name}' has far fewer rows than "
                f"the ones before it: {named(shrunk)}.",
                hint="Find out who deleted them before older backups are gone. If it is meant, it "
                "is no finding any more after a few backups.",
            )


def _usual(sizes: Sequence[int]) -> float:
    """Return the median of the last ten, or 0 where there are too few to tell."""
    return median(sizes[:COMPARED]) if len(sizes) >= COMPARED_AT_LEAST else 0


def _fell(now: int, usual: float, limits: Limits) -> bool:
    return now * 100 < usual * (100 - limits.max_shrink_percent)


def _left_out(line: Sequence[Backup], left_out: Mapping[str, str]) -> Iterator[Finding]:
    if line and (what := left_out.get(line[0].key)):
        yield Finding(
            check=Check.LEFT_OUT,
            message=f"The newest backup lacks what could not be read: {what}.",
            hint="Let backupd read them, or exclude them with BACKUP_SOURCE__EXCLUDE.",
        )


def _damaged(backups: Sequence[Backup]) -> Iterator[Finding]:
    keys = [backup.key for backup in backups if backup.condition is Condition.DAMAGED]
    if keys:
        yield Finding(
            check=Check.DAMAGED,
            message=f"{plural(len(keys), 'backup')} cannot be read back whole: {few(keys)}.",
            hint="Take a new one ('backupd run --full'); 'backupd verify BACKUP' names what is "
            "damaged. Look at the health of what it is stored on.",
        )


def _verified(backups: Sequence[Backup], limits: Limits, now: datetime) -> Iterator[Finding]:
    if limits.verified_within is None or not backups:
        return
    proofs = [
        backup.verified_at
        for backup in backups
        if backup.condition is Condition.PROVED and backup.verified_at is not None
    ]
    since = max(proofs) if proofs else backups[-1].created_at
    if now - since > limits.verified_within:
        yield Finding(
            check=Check.VERIFIED,
            message=f"No backup was read back and found good for {age(now - since)}."
            if proofs
            else "No backup was read back and found good yet.",
            hint="Run 'backupd verify' or 'backupd drill', and schedule the drill: "
            "BACKUP_SCHEDULE__DRILL.",
        )


def _future(backups: Sequence[Backup], now: datetime) -> Iterator[Finding]:
    keys = [backup.key for backup in backups if backup.created_at > now]
    if keys:
        yield Finding(
            check=Check.FUTURE,
            message=f"{plural(len(keys), 'backup')} dated in the future: {few(keys)}.",
            hint="Look at this machine's clock and BACKUP_TIMEZONE. Such a backup is kept, counts "
            "for nothing, and cleaning is refused until its time comes or it is moved away.",
        )


def _free_space(seen: Observed, line: Sequence[Backup], limits: Limits) -> Iterator[Finding]:
    if seen.free_bytes is None:
        return
    wanted = max(limits.min_free_bytes or 0, line[0].size if line else 0)
    if seen.free_bytes < wanted:
        free, needed = size(seen.free_bytes), size(wanted)
        yield Finding(
            check=Check.FREE_SPACE,
            message=f"{free} are free, and BACKUP_MONITOR__MIN_FREE_MEGABYTES asks for {needed}."
            if wanted == limits.min_free_bytes
            else f"{free} are free, and another backup needs {needed}.",
            hint="Free some space, or keep less: BACKUP_RETENTION__MAX_MEGABYTES.",
        )


def _clock(seen: Observed) -> Iterator[Finding]:
    if seen.clock_ahead is not None and abs(seen.clock_ahead) > CLOCK_TOLERANCE:
        apart = age(abs(seen.clock_ahead))
        yield Finding(
            check=Check.CLOCK,
            message=f"This machine's clock is {apart} behind the destination's."
            if seen.clock_ahead > timedelta(0)
            else f"This machine's clock is {apart} ahead of the destination's.",
            hint="Let the time be set from the network: 'timedatectl set-ntp true'.",
        )


def _leftovers(seen: Observed) -> Iterator[Finding]:
    if seen.leftovers:
        yield Finding(
            check=Check.LEFTOVERS,
            message=f"Deliveries that died left behind: {few(seen.leftovers)}.",
            hint="The next backup sweeps them. If they stay, backupd may not delete there.",
        )


def _undelivered(seen: Observed) -> Iterator[Finding]:
    if seen.undelivered:
        count = plural(len(seen.undelivered), "archive")
        yield Finding(
            check=Check.UNDELIVERED,
            message=f"{count} not delivered yet: {few(seen.undelivered)}.",
            hint="They wait in the spool; the next backup brings them along, or 'backupd deliver' "
            "now. 'backupd doctor' tells what the destination does not allow.",
        )


def _missed_runs(seen: Observed) -> Iterator[Finding]:
    if seen.missed_runs:
        when = few([f"{moment:%Y-%m-%d %H:%M} UTC" for moment in seen.missed_runs])
        yield Finding(
            check=Check.MISSED_RUNS,
            message=f"{plural(len(seen.missed_runs), 'backup')} did not run when due: {when}.",
            hint="Was the machine off, or the daemon stopped? 'systemctl status backupd'.",
        )
