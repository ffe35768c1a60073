"""Wire the doctor: which checkups a backup set's settings call for."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from backupd import care
from backupd.cron import next_due, parse_schedule
from backupd.database_wiring import server_source, sqlite_path
from backupd.diagnosis import Diagnosis, bad, doubtful, good
from backupd.operations.doctor import Checkup, probe
from backupd.operations.host import (
    look_at_clock,
    look_at_directory,
    look_at_disks,
    look_at_sqlite,
    look_at_tree,
    look_at_unit,
)
from backupd.settings.places import Database, LocalDestination
from backupd.wiring import App
from backupd.words import age, plural


def checkups(app: App) -> list[tuple[str, Checkup]]:
    """Give every checkup with its subject, in the order of the check-list."""
    settings = app.settings
    return [
        ("settings", partial(_settings, app)),
        ("state", partial(look_at_directory, "state", app.state, "STATE_DIRECTORY")),
        ("spool", partial(look_at_directory, "spool", app.spool, "BACKUP_SPOOL")),
        ("source files", partial(look_at_tree, app.root, settings.source.include or (".",))),
        *(
            (f"database {name}", partial(_database, app, name, section))
            for name, section in settings.databases.items()
        ),
        *(
            (f"destination {each.destination.name}", partial(probe, each.at_once, app.set_name))
            for each in app.deliveries()
        ),
        ("disks", partial(look_at_disks, _directories(app))),
        ("off-site", partial(_off_site, app)),
        ("encryption", partial(_encryption, app)),
        ("clock", look_at_clock),
        ("schedule", partial(_schedule, app)),
        ("systemd unit", partial(look_at_unit, _unit(app))),
        ("mail", partial(_mail, app)),
        ("backup", partial(_last, app, "backup", "backupd run")),
        ("retention", partial(_retention, app)),
        ("health", partial(_health, app)),
        ("drill", partial(_last, app, "drill", "backupd drill")),
    ]


def _unit(app: App) -> str:
    """Name the unit: the instance of a set with an env file of its own, or the only one."""
    stem = app.loaded.env_file.stem if app.loaded.env_file else "backupd"
    return "backupd.service" if stem == "backupd" else f"backupd@{stem}.service"


def _settings(app: App) -> Iterable[Diagnosis]:
    where = app.loaded.env_file or "the process environment"
    for warning in app.loaded.warnings:
        yield doubtful("settings", warning, "Correct it; 'backupd config check' reads them anew.")
    if not app.loaded.warnings:
        yield good("settings", f"No mistakes in {where}.")


def _database(app: App, name: str, section: Database) -> Iterable[Diagnosis]:
    path = sqlite_path(section, app.root)
    if path is not None:
        yield from look_at_sqlite(name, path)
        return
    subject = f"database {name}"
    for sentence, hint in server_source(name, section, app.clock.now(), app.zone).examine():
        yield doubtful(subject, sentence, hint) if hint else good(subject, sentence)


def _directories(app: App) -> dict[str, Path]:
    places = app.settings.destinations.items()
    return {name: place.path for name, place in places if isinstance(place, LocalDestination)}


def _off_site(app: App) -> Iterable[Diagnosis]:
    places = app.settings.destinations.values()
    if all(isinstance(place, LocalDestination) for place in places):
        message = "Every destination is on this machine; what takes it takes the backups too."
        yield doubtful("off-site", message, "Add a destination elsewhere: S3.")
    else:
        yield good("off-site", "There is a destination on another machine.")


def _encryption(app: App) -> Iterable[Diagnosis]:
    if app.settings.archive_password and app.settings.archive_password.get_secret_value():
        message = "Archives are encrypted. Is the password kept where this machine's loss is not?"
        yield good("encryption", message)
    else:
        hint = "Set BACKUP_ARCHIVE_PASSWORD if they hold what others must not read."
        yield doubtful("encryption", "Archives are not encrypted.", hint)


def _schedule(app: App) -> Iterable[Diagnosis]:
    now, lines = app.clock.now(), app.settings.schedule
    for operation in ("backup", "clean", "monitor", "drill"):
        due = next_due(parse_schedule(getattr(lines, operation)), app.zone, now)
        if due is not None:
            when = f"{due.astimezone(app.zone):%a %Y-%m-%d %H:%M %Z}"
            yield good("schedule", f"The next {operation} is due on {when}.")


def _mail(app: App) -> Iterable[Diagnosis]:
    if app.settings.mail.to:
        yield good("mail", f"Sent to {', '.join(app.settings.mail.to)}.")
    else:
        yield doubtful("mail", "Nobody is written to.", "Set BACKUP_MAIL_TO=you@example.com.")


def _last(app: App, operation: str, command: str) -> Iterable[Diagnosis]:
    last = app.history.last_success(operation)
    if last is None:
        yield doubtful(
            operation, "None has succeeded yet, as far as is known.", f"Run '{command}'."
        )
    else:
        ago = age(app.clock.now() - last.ended_at)
        yield good(operation, f"The last one that succeeded ended {ago} ago.")


def _retention(app: App) -> Iterable[Diagnosis]:
    report = care.dry(care.clean(app, frozenset())).run(lambda _: None)
    for each in report.destinations:
        subject = f"retention at {each.destination}"
        for objection in each.objections:
            yield doubtful(subject, objection.message, objection.hint)
        if each.error:
            yield bad(subject, each.error, each.hint)
        elif not each.objections:
            kept, removed = len(each.plan.kept), len(each.plan.removed)
            yield good(subject, f"{plural(kept, 'backup')} would stay, {removed} would go.")


def _health(app: App) -> Iterable[Diagnosis]:
    report = care.monitor(app).run(lambda _: None)
    for health in report.healths:
        subject = f"health of {health.set_name} at {health.destination}"
        for finding in health.findings:
            yield bad(subject, finding.message, finding.hint)
        if health.healthy:
            yield good(subject, f"{plural(health.count, 'backup')}, and nothing wrong.")
