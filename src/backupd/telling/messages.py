"""A notice as a message for people and programs: subject, text, HTML and JSON, in en or fr."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

import jinja2

from backupd import __version__
from backupd.events import OperationStarted
from backupd.message import Message
from backupd.model import Outcome
from backupd.telling.accounts import Account
from backupd.telling.language import Language
from backupd.telling.notices import Notice, Open, Topic
from backupd.telling.picture import COLUMNS, Shade, draw
from backupd.telling.problems import Row
from backupd.telling.wording import operation_name, summary, title

_DAY = timedelta(days=1)
_SHADES = {
    Outcome.SUCCEEDED: Shade.GOOD,
    Outcome.PARTIAL: Shade.PARTIAL,
    Outcome.FAILED: Shade.BAD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One operation that ended before."""

    operation: str
    at: datetime
    outcome: Outcome
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Who speaks and how: about which set, from which host, in which language."""

    set_name: str
    host: str
    language: Language
    clean: Callable[[str], str] = str
    """Takes secrets out of a text."""


def compose(notice: Notice, voice: Voice, past: Sequence[Past]) -> Message:
    """Put a notice into words; `past` are the operations up to now, the oldest first."""
    notice = _presentable(notice, voice)
    backups = [each for each in past if each.operation == "backup"][-COLUMNS:]
    week = [each for each in past if notice.account.at - each.at < 7 * _DAY]
    weeks = [each.outcome for each in week if each.operation == "backup"]
    values = {
        "notice": notice,
        "account": notice.account,
        "voice": voice,
        "title": title(notice, voice.language, len(weeks) - weeks.count(Outcome.FAILED)),
        "summary": summary(
            notice.topic,
            voice.language.gettext,
            week_is_good=all(each is Outcome.SUCCEEDED for each in weeks),
        ),
        "told": {each.problem.text for each in notice.problems},
        "backups": backups,
        "week": _counts(week, voice.language),
        "largest": max((each.bytes for each in backups), default=0),
        "version": __version__,
    }
    subject = _subject(notice, voice, values["title"])
    templates = environment(voice.language)
    days = [_shade_of_day(notice.account.at - ago * _DAY, backups, voice) for ago in _BACKWARDS]
    picture = draw([(each.bytes, _SHADES[each.outcome]) for each in backups], days)
    return Message(
        id=notice.id,
        event=notice.topic,
        good=notice.topic.good,
        at=notice.account.at,
        set_name=voice.set_name,
        host=voice.host,
        run_id=notice.account.run_id,
        subject=subject,
        text=templates.get_template("mail.txt").render(values),
        html=templates.get_template("mail.html").render(values),
        picture=base64.b64encode(picture).decode() if backups else "",
        facts=json.dumps(_facts(notice, voice, subject)),
    )


def _subject(notice: Notice, voice: Voice, what: object) -> str:
    where = {"set": voice.set_name, "host": voice.host, "what": what}
    subject = voice.language.gettext("%(set)s on %(host)s: %(what)s") % where
    if notice.problems and notice.topic.good is False:
        since = {"when": voice.language.moment(notice.since)}
        subject += " " + voice.language.gettext("since %(when)s") % since
    return subject


def ping(kind: str, about: Account | OperationStarted, text: str, voice: Voice) -> Message:
    """Make the message of a ping: which run began or ended, and how."""
    return Message(
        id=f"{about.run_id}.{kind}",
        event=kind,
        good=kind != "ping_fail",
        at=about.at,
        set_name=voice.set_name,
        host=voice.host,
        run_id=about.run_id,
        subject=kind,
        text=_safe(voice.clean(text)),
    )


def sample(voice: Voice, at: datetime) -> Message:
    """Make the message of `backupd notify test`."""
    account = Account(run_id="", operation="test", started_at=at, at=at, outcome=Outcome.SUCCEEDED)
    message = compose(Notice(topic=Topic.TEST, account=account), voice, ())
    return replace(message, id=f"{at:%Y%m%dT%H%M%S.%fZ}.test")


_BACKWARDS = range(COLUMNS - 1, -1, -1)


@cache
def environment(language: Language) -> jinja2.Environment:
    """Give the templates in a language; what is put into HTML is escaped."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("backupd.telling"),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals |= {
        "_": language.gettext,
        "n_": language.ngettext,
        "language": language,
    }
    return templates


def _counts(week: Sequence[Past], language: Language) -> list[tuple[str, int, int]]:
    """Count, by operation, what succeeded and what did not."""
    counted = []
    for operation in ("backup", "clean", "monitor", "verify", "drill"):
        outcomes = [each.outcome for each in week if each.operation == operation]
        good = outcomes.count(Outcome.SUCCEEDED)
        if outcomes:
            name = operation_name(operation, language.gettext)
            counted.append((name, good, len(outcomes) - good))
    return counted


def _shade_of_day(when: datetime, backups: Sequence[Past], voice: Voice) -> Shade:
    """Say how a day is covered: by its best backup."""
    day = when.astimezone(voice.language.zone).date()
    outcomes = [
        each.outcome for each in backups if each.at.astimezone(voice.language.zone).date() == day
    ]
    for outcome in (Outcome.SUCCEEDED, Outcome.PARTIAL, Outcome.FAILED):
        if outcome in outcomes:
            return _SHADES[outcome]
    return Shade.NONE


def _facts(notice: Notice, voice: Voice, subject: str) -> Mapping[str, object]:
    """Say it for programs; `docs/reference/webhook.md` is the schema."""
    account = notice.account
    return {
        "schema": 1,
        "id": notice.id,
        "event": notice.topic,
        "good": notice.topic.good,
        "set": voice.set_name,
        "host": voice.host,
        "at": account.at.isoformat(),
        "subject": subject,
        **_operation(account),
        "problems": [_problem(each) for each in notice.problems],
        "standing": [_problem(each) for each in notice.standing],
        "version": __version__,
    }


def _operation(account: Account) -> Mapping[str, object]:
    return {
        "operation": account.operation,
        "run_id": account.run_id,
        "started_at": account.started_at.isoformat(),
        "outcome": account.outcome,
        "figures": dict(account.figures),
        "destinations": [
            {"name": row.destination, "good": row.good, "text": row.text} for row in account.rows
        ],
    }


def _problem(each: Open) -> Mapping[str, object]:
    return {
        "key": each.problem.key,
        "destination": each.problem.place or None,
        "text": each.problem.text,
        "hint": each.problem.hint,
        "since": each.since.isoformat(),
    }


def _presentable(notice: Notice, voice: Voice) -> Notice:
    """Take secrets out of what comes from outside, and what is no text; say it in the language."""

    def shown(text: str) -> str:
        return _safe(voice.clean(text))

    def said(text: str) -> str:
        return voice.language.sentence(shown(text))

    def spoken(each: Open) -> Open:
        problem = each.problem
        return replace(
            each, problem=replace(problem, text=said(problem.text), hint=said(problem.hint))
        )

    def of_row(row: Row) -> str:
        """A bad row has one sentence, or those of several problems."""
        known = [each.text for each in notice.account.problems if each.text in row.text]
        if row.good or not known:
            return shown(row.text) if row.good else said(row.text)
        text = row.text
        for each in sorted(known, key=len, reverse=True):
            text = text.replace(each, said(each))
        return text

    rows = [replace(row, text=of_row(row)) for row in notice.account.rows]
    account = replace(notice.account, rows=tuple(rows))
    return replace(
        notice,
        account=account,
        problems=tuple(map(spoken, notice.problems)),
        standing=tuple(map(spoken, notice.standing)),
    )


def _safe(text: str) -> str:
    """Show bytes that are no text (PEP 383) and control characters, instead of failing on them."""
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in shown
    )
