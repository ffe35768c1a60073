"""A notice in words: subjects, parts, languages, and what must never be in them."""

import base64
import json
import re
import struct
import zlib
from datetime import timedelta
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

import backupd
from backupd.errors import DumpError
from backupd.events import OperationEnded, OperationFailed
from backupd.logs import Redactor
from backupd.message import Message
from backupd.model import Outcome
from backupd.telling.accounts import account_of
from backupd.telling.language import Language
from backupd.telling.messages import Past, Voice, compose, sample
from backupd.telling.notices import Memory, Policy, Topic, decide
from backupd.telling.picture import HEIGHT, WIDTH, Shade, draw
from fakes.accounts import MOMENT, backed_up, failed

PARIS = ZoneInfo("Europe/Paris")
DAY = timedelta(days=1)


def voice(code: str = "en", *secrets: str) -> Voice:
    return Voice(
        set_name="shop",
        host="web1",
        language=Language(code=code, zone=PARIS),
        clean=Redactor(secrets).clean,
    )


def past(count: int) -> list[Past]:
    return [
        Past(
            operation="backup",
            at=MOMENT - (count - number) * DAY,
            outcome=Outcome.SUCCEEDED,
            bytes=45_000_000 + number * 100_000,
        )
        for number in range(count)
    ]


def messages(
    *events: OperationEnded | OperationFailed, speaker: Voice | None = None, every: bool = False
) -> list[Message]:
    memory, given = Memory(), []
    for event in events:
        account = account_of(event)
        assert account is not None
        decision = decide(account, memory, Policy(every=every))
        memory = decision.memory
        given += [compose(notice, speaker or voice(), past(30)) for notice in decision.notices]
    return given


@pytest.mark.parametrize(
    ("code", "subjects"),
    [
        (
            "en",
            [
                "shop on web1: Backup partial (offsite) since Sat 8 Nov 02:00",
                "shop on web1: Recovered after 2 nights (offsite)",
            ],
        ),
        (
            "fr",
            [
                "shop sur web1\xa0: Sauvegarde partielle (offsite) depuis sam. 8 nov. 02:00",
                "shop sur web1\N{NO-BREAK SPACE}: Rétabli après 2 nuits (offsite)",
            ],
        ),
    ],
)
def test_a_subject_says_set_host_what_and_since_when(code: str, subjects: list[str]) -> None:
    down = backed_up(MOMENT, down=["offsite"])
    again = backed_up(MOMENT + DAY, down=["offsite"])
    good = backed_up(MOMENT + 2 * DAY)
    given = messages(down, again, good, speaker=voice(code))
    assert [message.subject for message in given] == subjects


def test_the_parts_name_the_problem_the_hint_the_destinations_and_the_run() -> None:
    (message,) = messages(backed_up(down=["offsite"]))
    for part in (message.text, re.sub(r"<[^>]+>", "", message.html)):
        for word in (
            "did not take it: the connection was refused.",
            "Look whether it is up.",
            "local",
            "45.3 MB",
            "1,234",
            "20251108T010000Z-0001",
        ):
            assert word in part
    assert "Traceback" not in message.text


def test_the_facts_are_json_for_programs() -> None:
    (message,) = messages(backed_up(down=["offsite"]))
    facts = json.loads(message.facts)
    assert facts["event"] == "backup_partial"
    assert facts["outcome"] == "partial"
    assert facts["destinations"][0] == {"name": "local", "good": True, "text": ""}
    assert facts["problems"][0]["destination"] == "offsite"
    assert facts["figures"]["bytes"] == 45_300_000


def test_nothing_in_a_mail_comes_from_elsewhere() -> None:
    for message in messages(backed_up(), backed_up(MOMENT + 7 * DAY)):
        assert not re.search(r"(?:src|href)\s*=\s*(?!\"cid:picture\")", message.html)
        assert "<script" not in message.html
        assert "url(" not in message.html


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=4).filter(str.strip))
def test_no_secret_is_in_any_part(secret: str) -> None:
    error = DumpError(f"It failed with »{secret}«.", hint=f"Not »{secret}«.")
    (message,) = messages(failed(error), speaker=voice("en", secret))
    assert f"»{secret}«" not in message.text
    assert "[hidden]" in message.text
    assert "[hidden]" in message.html
    assert "[hidden]" in message.facts


def test_html_in_an_error_is_text() -> None:
    (message,) = messages(failed(DumpError("<img src=x onerror=alert(1)>")))
    assert "<img src=x" not in message.html
    assert "&lt;img src=x" in message.html


def test_a_path_that_is_no_text_does_not_stop_the_message() -> None:
    (message,) = messages(failed(DumpError("bad\udcff\x1b[31mname")))
    assert "bad\\xff\\x1b[31mname" in message.text
    message.html.encode()


def test_every_topic_has_words_in_every_language() -> None:
    for code in ("en", "fr"):
        message = sample(voice(code), MOMENT)
        assert message.subject
        assert message.picture == ""


def test_the_picture_is_a_png_that_shows_the_last_thirty_runs() -> None:
    (message,) = messages(backed_up(), every=True)
    png = base64.b64decode(message.picture)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (WIDTH, HEIGHT)


def test_a_larger_run_has_a_taller_bar() -> None:
    png = draw([(50, Shade.GOOD), (100, Shade.PARTIAL), (0, Shade.BAD)], [Shade.NONE])
    length = struct.unpack(">I", png[33:37])[0]
    raw = zlib.decompress(png[41 : 41 + length])
    rows = [raw[start + 1 : start + 1 + WIDTH * 4] for start in range(0, len(raw), WIDTH * 4 + 1)]

    def count(shade: Shade) -> int:
        return sum(bytes(shade.value) in row for row in rows)

    assert count(Shade.GOOD) * 2 == count(Shade.PARTIAL)
    assert 0 < count(Shade.BAD) < count(Shade.GOOD)


def test_every_text_has_its_french_and_the_catalog_has_no_other() -> None:
    folder = Path(str(files(backupd)))
    used = {
        message if isinstance(message, str) else message[0]
        for _, _, message, _, _ in extract_from_dir(
            folder,
            [("**.py", "python"), ("telling/templates/**.*", "jinja2.ext:babel_extract")],
            keywords={"_": None, "gettext": None, "n_": (1, 2), "ngettext": (1, 2)},
        )
    }
    source = (folder / "telling/locale/fr.po").read_bytes()
    catalog = read_po(BytesIO(source), locale="fr")
    french = {
        each.id if isinstance(each.id, str) else each.id[0]: each for each in catalog if each.id
    }
    assert set(french) == used
    for each in french.values():
        assert each.string
        assert not list(each.check(catalog))
        assert all(each.string if isinstance(each.string, tuple) else [each.string])


@pytest.mark.parametrize(
    ("code", "size", "moment", "span"),
    [
        ("en", "45.3 MB", "Sat 8 Nov 02:00", "1 night"),
        ("fr", "45,3\N{NARROW NO-BREAK SPACE}Mo", "sam. 8 nov. 02:00", "1 nuit"),
    ],
)
def test_each_language_writes_sizes_moments_and_spans_its_own_way(
    code: str, size: str, moment: str, span: str
) -> None:
    language = Language(code=code, zone=PARIS)
    assert language.size(45_300_000) == size
    assert language.moment(MOMENT) == moment
    assert language.lasting(timedelta(hours=23)) == span


def test_a_short_trouble_is_not_counted_in_nights() -> None:
    assert Language(code="en", zone=PARIS).lasting(timedelta(hours=3)) == "3 hours"


def test_the_digest_counts_what_ran_this_week() -> None:
    *_, digest = messages(*[backed_up(MOMENT + night * DAY) for night in range(8)])
    assert digest.event == Topic.DIGEST
    assert "backups this week" in digest.subject
