"""What findings, problems and errors say is said in French mails in French."""

import io
import re
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from backupd.telling.language import Language
from backupd.telling.phrasebook import translated
from fakes.sentences import HOLE, sentences_of

SPOKEN = (
    "telling.accounts",
    "telling.findings",
    "examine",
    "caution",
    "errors",
    "destinations.local",
    "destinations.s3",
    "destinations.s3_advice",
    "destinations.s3_client",
    "destinations.s3_errors",
    "destinations.s3_resume",
    "destinations.s3_upload",
    "operations.backup",
    "operations.copying",
    "operations.sisters",
    "sources.command",
    "sources.dump",
    "sources.files",
    "sources.mysql",
    "sources.postgres_server",
    "sources.sighting",
    "sources.sqlite",
    "sources.tables",
    "archive.workers",
    "archive.writer",
    "daemon.scheduler",
    "spool",
    "lock",
)
"""Modules whose every sentence has a French one. To speak of another module, add it here."""

ELSEWHERE = {
    f"It could not be started: {HOLE}.",
    "It died together with the daemon.",
    f"{HOLE} at '{HOLE}' is damaged: {HOLE}",
    f"{HOLE} ended with status {HOLE} while {HOLE}",
    f"{HOLE} was killed by {HOLE} while {HOLE}",
}
"""Sentences that the program puts together in another way."""

IN_ONE_OF_THOSE = {f"was killed by {HOLE}", f"{HOLE} {HOLE} while {HOLE}{HOLE}"}

SOURCE = files("backupd.telling") / "locale" / "fr.sentences.po"
ENTRIES = [entry for entry in read_po(io.BytesIO(SOURCE.read_bytes()), locale="fr") if entry.id]
A_HOLE = re.compile(r"%\((\w+)\)s")


def looks(entry: Message) -> str:
    return A_HOLE.sub(HOLE, str(entry.id)).replace("%%", "%")


@pytest.mark.parametrize("module", SPOKEN)
def test_every_sentence_of_a_module_is_in_the_catalog(module: str) -> None:
    said = {text for text in sentences_of(module) if not text.startswith(" ")}
    assert said
    assert said - {looks(entry) for entry in ENTRIES} <= IN_ONE_OF_THOSE


def test_no_sentence_of_the_catalog_has_gone_from_the_program() -> None:
    said = {text for module in SPOKEN for text in sentences_of(module)}
    sentences = {looks(entry) for entry in ENTRIES if entry.context != "part"}
    assert sentences - said == ELSEWHERE


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry.id)[:40])
def test_every_entry_is_known_again_for_itself_and_loses_no_name(entry: Message) -> None:
    holes = A_HOLE.findall(str(entry.id))
    assert len(set(holes)) == len(holes)
    assert set(A_HOLE.findall(str(entry.string))) == set(holes)
    names = {hole: f"wort{number}" for number, hole in enumerate(holes)}
    english, french = str(entry.id) % names, str(entry.string) % names
    if entry.context == "part":
        english, french = f"'x': {english}.", f"'x' : {french}."
    if holes == []:
        english, french = (text.replace("%%", "%") for text in (english, french))
    assert translated(english, "fr") == french


SAMPLES = {
    "The backups hold 5.2 GB, more than 5 GB.": "Les sauvegardes occupent 5,2 Go, plus que 5 Go.",
    "2 backups cannot be read back whole: a.zip, b.zip, c.zip and 3 more.": (
        "Impossible à relire en entier : 2 sauvegardes (a.zip, b.zip, c.zip et 3 de plus)."
    ),
    "The newest good backup is 3 days old, more than 1 day.": (
        "La dernière bonne sauvegarde date de 3 jours, plus que 1 jour."
    ),
    "'offsite': nothing answers at 127.0.0.1:99: connection refused.": (
        "'offsite' : rien ne répond à 127.0.0.1:99 : connexion refusée."
    ),
    "'s3': this machine's clock is 12 minutes behind the server's.": (
        "'s3' : l'horloge de cette machine retarde de 12 minutes sur celle du serveur."
    ),
    "'s3': the settings of the bucket cannot be used (Invalid endpoint: x).": (
        "'s3' : les réglages du bucket ne peuvent pas servir (Invalid endpoint: x)."
    ),
    "pg_dump ended with status 1 while dumping the database 'x': pg_dump: error: no.": (
        "pg_dump s'est terminé avec le code 1 : export de la base 'x': pg_dump: error: no."
    ),
    "Not in the archive: /x/a (unreadable), /b (vanished) and 3 more.": (
        "Absents de l'archive : /x/a (illisible), /b (disparu) et 3 de plus."
    ),
    "The destination 'backup' (/mnt/b) failed: No space left on device.": (
        "La destination 'backup' (/mnt/b) a échoué : plus de place."
    ),
    "x.zip at 'off' is damaged: a/b: it is missing (and 2 more)": (
        "x.zip sur 'off' est endommagée : a/b: il manque (et 2 de plus)"
    ),
    "x.zip at 'off' is damaged: a/b: its SHA-256 is not the one in the manifest": (
        "x.zip sur 'off' est endommagée : a/b: son SHA-256 n'est pas celui du manifeste"
    ),
}


@pytest.mark.parametrize("english", SAMPLES)
def test_names_and_figures_stay_and_what_others_say_is_left_as_it_is(english: str) -> None:
    assert translated(english, "fr") == SAMPLES[english]


def test_what_is_not_ours_is_introduced_as_english() -> None:
    french = Language(code="fr", zone=ZoneInfo("UTC"))
    assert french.sentence("Something else broke.") == "En anglais : Something else broke."
    assert french.sentence("") == ""


def test_in_english_all_stays_as_it_is() -> None:
    english = Language(code="en", zone=ZoneInfo("UTC"))
    for text in SAMPLES:
        assert english.sentence(text) == text
