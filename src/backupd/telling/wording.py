"""The short texts of a notice: what happened, and what it means."""

from collections.abc import Callable

from backupd.telling.language import Language
from backupd.telling.notices import Notice, Topic


def title(notice: Notice, language: Language, backups_this_week: int) -> str:
    """Say what happened, in as few words as a phone's list shows."""
    if notice.topic is Topic.DIGEST:
        return language.ngettext(
            "%(count)s backup this week", "%(count)s backups this week", backups_this_week
        )
    if notice.topic is Topic.RECOVERED:
        span = language.lasting(notice.account.at - notice.since)
        text = language.gettext("Recovered after %(span)s") % {"span": span}
    else:
        text = _name(notice.topic, language.gettext)
    places = sorted({each.problem.place for each in notice.problems} - {""})
    return f"{text} ({', '.join(places)})" if places else text


def _name(topic: Topic, _: Callable[[str], str]) -> str:
    titles = {
        Topic.BACKUP_SUCCEEDED: _("Backup succeeded"),
        Topic.BACKUP_PARTIAL: _("Backup partial"),
        Topic.BACKUP_FAILED: _("Backup failed"),
        Topic.CLEAN_SUCCEEDED: _("Cleanup succeeded"),
        Topic.CLEAN_FAILED: _("Cleanup failed"),
        Topic.HEALTHY: _("Backups healthy"),
        Topic.UNHEALTHY: _("Backups unhealthy"),
        Topic.DRILL_PASSED: _("Restore drill passed"),
        Topic.DRILL_FAILED: _("Restore drill failed"),
        Topic.MISSED_RUN: _("Scheduled run missed"),
        Topic.TEST: _("Test message"),
    }
    return titles[topic]


def summary(topic: Topic, _: Callable[[str], str], *, week_is_good: bool = True) -> str:
    """Say in a sentence what it means."""
    summaries = {
        Topic.BACKUP_SUCCEEDED: _("A complete backup was taken and delivered everywhere."),
        Topic.BACKUP_PARTIAL: _("There is a backup, but something is missing."),
        Topic.BACKUP_FAILED: _("There is no new backup."),
        Topic.CLEAN_SUCCEEDED: _("Old backups were removed as the retention policy says."),
        Topic.CLEAN_FAILED: _("Old backups could not be removed everywhere. None was lost."),
        Topic.HEALTHY: _("Every destination is healthy."),
        Topic.UNHEALTHY: _("Something is wrong with the backups that are kept."),
        Topic.DRILL_PASSED: _("The newest backups were restored and checked: they are good."),
        Topic.DRILL_FAILED: _("A backup could not be restored in full. It needs your attention."),
        Topic.RECOVERED: _("What was wrong is well again."),
        Topic.MISSED_RUN: _("The machine or the daemon was not running when it was due."),
        Topic.DIGEST: _("The backups of this week are in place.")
        if week_is_good
        else _("Not every backup of this week succeeded."),
        Topic.TEST: _("This channel works. Nothing has happened to the backups."),
    }
    return summaries[topic]


def operation_name(operation: str, _: Callable[[str], str]) -> str:
    """Name an operation."""
    names = {
        "backup": _("backup"),
        "deliver": _("delivery"),
        "clean": _("cleanup"),
        "monitor": _("health check"),
        "verify": _("verification"),
        "drill": _("restore drill"),
        "restore": _("restore"),
    }
    return names.get(operation, operation)
