"""`RESTORE.txt`: how to get everything out of this archive without backupd, in two languages."""

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote
from textwrap import indent

from backupd.archive.manifest import MANIFEST_PATH
from backupd.model import ArchiveHeader

RESTORE_PATH = "RESTORE.txt"
_OTHER_PATHS = tuple(f"RESTORE.backupd{number}.txt" for number in ("", *range(2, 100)))
RESTORE_PATHS = (RESTORE_PATH, *_OTHER_PATHS)
"""Where it stands in an archive: the first that no file of the application has."""
SEALED_PATH = "contents.zip"
"""The archive inside an archive whose names are hidden."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """One language's sentences; the commands between them are the same."""

    head: str
    whole: str
    plain: str
    encrypted: str
    sealed: str
    links: str
    application: str
    databases: str
    servers: str
    end: str


_ENGLISH = _Words(
    head="""\
{header.archive}

A backup of '{header.set_name}' ({header.scope}), taken {header.created_at:%Y-%m-%d %H:%M:%S} UTC
by backupd {header.version}. You do not need backupd to get your data back.
Do this as root if the files belong to other users than yourself.""",
    whole="1. See that the archive is whole, if its .sha256 file is beside it:",
    plain="""\
2. Extract everything into a new directory, with one of these (unzip and bsdtar bring owners back
   too, when root runs them):""",
    encrypted="""\
2. Extract everything into a new directory. The archive is encrypted (AES-256, WinZip's AE-2):
   7-Zip asks for the password, which was BACKUP_ARCHIVE_PASSWORD on that day:""",
    sealed="""\
2. Extract it in two steps. The archive is encrypted (AES-256, WinZip's AE-2), the names of its
   files too: 7-Zip asks for the password, which was BACKUP_ARCHIVE_PASSWORD on that day. What to
   do then is written in restored/RESTORE.txt. {sealed} is not encrypted: remove it in the end.""",
    links="""\
If your 7-Zip is older and refuses -snld, leave it out. Newer ones leave an empty file in the place
of a link that leads out of the directory, and say so, and let absolute links begin in restored: the
manifest has their true targets. -snld20 instead of -snld brings those that lead out, too.""",
    application="""\
3. Stop the application. Put its files back where they belong; this keeps modes, owners and times.
   restored/.backupd/manifest.json has the SHA-256, size, mode, owner and time of every member.
   Files that lay outside the application's directory are in it under their whole path.""",
    databases="""\
4. Put the databases back. Write after DATABASE= or SERVER= where each belongs: the application's
   own settings say it. A dump has the name that backupd's settings give its database:""",
    servers="""\
Make databases that are not there (createdb NAME; mysqladmin create NAME). A dump of PostgreSQL that
is SQL needs an empty one. Its roles (@globals) may be there already: that they are said to be does
no harm.""",
    end="""\
Then start the application, and look whether it works. Who runs it must own what it writes to:
chown -R USER:GROUP, where the owners did not come back.""",
)

_FRENCH = _Words(
    head="""\
Une sauvegarde de « {header.set_name} » ({header.scope}), faite le
{header.created_at:%Y-%m-%d à %H:%M:%S} UTC par backupd {header.version}. Il n'est pas besoin de
backupd pour retrouver vos données. À faire en tant que root si les fichiers sont à d'autres.""",
    whole="1. Vérifiez que l'archive est entière, si son fichier .sha256 est à côté :",
    plain="""\
2. Extrayez tout dans un nouveau répertoire, avec l'une de ces commandes (lancées par root, unzip
   et bsdtar rendent aussi les propriétaires) :""",
    encrypted="""\
2. Extrayez tout dans un nouveau répertoire. L'archive est chiffrée (AES-256, AE-2 de WinZip) :
   7-Zip demande le mot de passe, qui était BACKUP_ARCHIVE_PASSWORD ce jour-là :""",
    sealed="""\
2. Extrayez-la en deux étapes. L'archive est chiffrée (AES-256, AE-2 de WinZip), les noms de ses
   fichiers aussi : 7-Zip demande le mot de passe, qui était BACKUP_ARCHIVE_PASSWORD ce jour-là. La
   suite est écrite dans restored/RESTORE.txt. {sealed} n'est pas chiffré : effacez-le à la fin.""",
    links="""\
Si votre 7-Zip est plus ancien et refuse -snld, omettez-le. Les plus récents laissent un fichier
vide à la place d'un lien qui mène hors du répertoire, en le disant, et font commencer les liens
absolus dans restored : le manifeste a leurs vraies cibles. -snld20 au lieu de -snld rend aussi ceux
qui mènent dehors.""",
    application="""\
3. Arrêtez l'application. Remettez ses fichiers à leur place ; modes, propriétaires et dates sont
   gardés. restored/.backupd/manifest.json donne le SHA-256, la taille, le mode, le propriétaire et
   la date de chaque membre. Les fichiers d'ailleurs que du répertoire de l'application y sont sous
   leur chemin complet.""",
    databases="""\
4. Remettez les bases de données. Écrivez après DATABASE= ou SERVER= où chacune a sa place : les
   réglages de l'application le disent. Un dump a le nom que les réglages de backupd donnent à sa
   base :""",
    servers="""\
Créez les bases qui n'existent pas (createdb NOM ; mysqladmin create NOM). Un dump de PostgreSQL en
SQL demande une base vide. Ses rôles (@globals) existent peut-être déjà : qu'il le dise ne fait pas
de mal.""",
    end="""\
Puis relancez l'application et regardez si elle marche. Celui qui la fait tourner doit posséder ce
qu'elle écrit : chown -R UTILISATEUR:GROUPE, là où les propriétaires ne sont pas revenus.""",
)

_WHOLE = "sha256sum -c {archive}.sha256"
_PLAIN = """\
unzip -X -K -^ {archive} -d restored
7z x -snld -orestored {archive}
mkdir restored && bsdtar -xpf {archive} -C restored"""
_ENCRYPTED = "7z x -snld -orestored {archive}"
_SEALED = """\
7z x {archive} {sealed}
7z x -snld -orestored {sealed}"""
_SQLITE = """\
DATABASE=/path/of/the/database.sqlite
rm -f "$DATABASE"-wal "$DATABASE"-shm "$DATABASE"-journal
cp dumps/{dump} "$DATABASE"
sqlite3 "$DATABASE" 'PRAGMA integrity_check'"""
_GLOBALS = "psql --dbname=postgres --file=dumps/{dump}"
_NAMED = "DATABASE=name-or-address-of-the-database"
_PSQL = """\
psql --set=ON_ERROR_STOP=1 --single-transaction \\
    --dbname="$DATABASE" --file=dumps/{dump}"""
_PG_RESTORE = """\
pg_restore --clean --if-exists --exit-on-error --single-transaction \\
    --dbname="$DATABASE" dumps/{dump}"""
_MYSQL = """\
DATABASE=name-of-the-database
mysql --binary-mode --default-character-set=utf8mb4 "$DATABASE" < dumps/{dump}"""
_MONGORESTORE = """\
SERVER='mongodb://user@host/?authSource=admin'
mongorestore --drop --uri="$SERVER" --archive=dumps/{dump}"""
_SERVERS = {
    ("postgresql", "dump"): f"{_NAMED}\n{_PG_RESTORE}",
    ("postgresql", "sql"): f"{_NAMED}\n{_PSQL}",
    ("mysql", "sql"): _MYSQL,
    ("mariadb", "sql"): _MYSQL.replace("mysql", "mariadb"),
    ("mongodb", "archive"): _MONGORESTORE,
}
_INDENT = "     "
_RULE = "-" * 78 + "\nEn français"


def restore_text(
    header: ArchiveHeader, dumps: Sequence[str], *, encrypted: bool, path: str = RESTORE_PATH
) -> str:
    """Write the instructions for one archive, which stand at `path` in it.

    `dumps` are the paths of its database dumps.
    """
    roles_first = sorted(dumps, key=lambda dump: not _has_roles(dump))
    application = indent(_application(dumps, path), _INDENT)
    texts = []
    for words in (_ENGLISH, _FRENCH):
        texts += [
            words.head.format(header=header),
            words.whole,
            _commands(_WHOLE, header),
            words.encrypted if encrypted else words.plain,
            _commands(_ENCRYPTED if encrypted else _PLAIN, header),
            words.links,
            words.application,
            application,
            *([words.databases] if dumps else []),
            *([words.servers] if any(map(_is_of_a_server, dumps)) else []),
            *(_put_back(dump, header) for dump in roles_first),
            words.end,
            *([_RULE] if words is _ENGLISH else []),
        ]
    return "\n\n".join(texts) + "\n"


def sealed_restore_text(header: ArchiveHeader) -> str:
    """Write the instructions that stand outside hidden names; they name nothing that is inside."""
    texts = []
    for words in (_ENGLISH, _FRENCH):
        texts += [
            words.head.format(header=header),
            words.whole,
            _commands(_WHOLE, header),
            words.sealed.format(sealed=SEALED_PATH),
            _commands(_SEALED, header),
            words.links,
            *([_RULE] if words is _ENGLISH else []),
        ]
    return "\n\n".join(texts) + "\n"


def _application(dumps: Sequence[str], path: str) -> str:
    """Set apart what backupd added, and nothing of the application's own; copy the rest."""
    own = [*dumps, MANIFEST_PATH, path]
    folders = sorted({parent for parent in (each.rpartition("/")[0] for each in own) if parent})
    return "\n".join(
        [
            "APPLICATION=/path/of/the/application",
            "mkdir -p " + " ".join(f"dumps/{folder}" for folder in folders),
            *(f"mv {quote(f'restored/{each}')} {quote(f'dumps/{each}')}" for each in own),
            "rmdir --ignore-fail-on-non-empty " + " ".join(f"restored/{each}" for each in folders),
            'cp -a restored/. "$APPLICATION"/',
        ]
    )


def _commands(text: str, header: ArchiveHeader, dump: str = "") -> str:
    """Indent commands, their names quoted for a shell."""
    filled = text.format(archive=quote(header.archive), dump=quote(dump), sealed=SEALED_PATH)
    return indent(filled, _INDENT)


def _is_of_a_server(dump: str) -> bool:
    return not dump.endswith(".sqlite")


def _has_roles(dump: str) -> bool:
    return ".@globals-" in dump


def _put_back(dump: str, header: ArchiveHeader) -> str:
    """Choose how a dump is put back, by the kind and the ending that its name shows.

    One that is packed is unpacked first, which finds out whether it is whole: at the end of a pipe
    half of it would have been loaded before.
    """
    plain = dump.removesuffix(".gz")
    text = _commands(_command_for(plain.rpartition("/")[2]), header, plain)
    return text if plain == dump else _commands("gunzip dumps/{dump}", header, dump) + f"\n{text}"


def _command_for(name: str) -> str:
    if not _is_of_a_server(name):
        return _SQLITE
    if _has_roles(name):
        return _GLOBALS
    for (kind, ending), command in _SERVERS.items():
        if name.startswith(f"{kind}-") and name.endswith(f".{ending}"):
            return command
    return "ls -l dumps/{dump}"
