"""What no command shows; the search itself is in tests/conftest.py, and goes for every test."""

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from backupd.settings.variables import all_variables
from conftest import Program
from fakes.mail_server import free_port
from fakes.overheard import MARK, OVERHEARD, PLACES, overhear, secret, shown

COMMANDS = (
    "config show",
    "run --verbose",
    "run --only-files",
    "list --backups",
    "status",
    "status --json",
    "clean --verbose",
    "monitor --verbose",
    "verify latest --verbose",
    "drill --verbose",
    "doctor --send-test",
    "notify test --json",
    "report --html {state}/report.html",
    "restore latest --to {state}/restored --verbose",
    "restore --only-db --verbose",
    "daemon --reload",
)

MANIFEST = (".backupd/manifest.json", f'{{"url": "{MARK}"}}')


def every_secret() -> dict[str, str]:
    """Set all that is secret, with nobody at any address."""
    nobody = f"127.0.0.1:{free_port()}"
    web = f"http://{nobody}/{MARK}"
    given = {
        "BACKUP_DATABASES__<NAME>__URL": f"postgresql://u:{MARK}@{nobody}/app",
        "BACKUP_DRILL__URL": f"postgresql://u@{nobody}/",
        "BACKUP_NOTIFY__WEBHOOK__URL": web,
        "BACKUP_NOTIFY__SLACK__WEBHOOK_URL": web,
        "BACKUP_NOTIFY__DISCORD__WEBHOOK_URL": web,
        "BACKUP_NOTIFY__APPRISE__URLS": f"json://{nobody}/{MARK}",
        "BACKUP_NOTIFY__PING__URL": web,
    }
    names = [variable.name for variable in all_variables() if variable.secret]
    values = {name: given.get(name, secret(name.lower())) for name in names}
    password = values.pop("BACKUP_DATABASES__<NAME>__PASSWORD")  # one in URL, one by itself
    other = {"URL": f"mysql://u@{nobody}/app", "PASSWORD": password}
    return {
        **{name.replace("<NAME>", "MAIN"): value for name, value in values.items()},
        **{f"BACKUP_DATABASES__OTHER__{name}": value for name, value in other.items()},
    }


@pytest.mark.timeout(400)  # sixteen commands one after the other
def test_no_command_shows_any_secret(program: Program) -> None:
    program.lines = [line for line in program.lines if MARK not in line]
    program.set(ARCHIVE_PASSWORD=secret("backup_archive_password"), RETRY__TRIES="1")
    assert program("run").code == 0
    program.lines = [line for line in program.lines if MARK not in line]
    program.lines += [f"{name}={value}" for name, value in every_secret().items()]
    program.set(MAIL_TO="a@example.org", MAIL__HOST="127.0.0.1", MAIL__PORT=str(free_port()))
    program.set(MAIL__USERNAME="u")
    for command in COMMANDS:
        done = program(*command.format(state=program.state).split())
        assert done.code != 78, done.err
        assert "Traceback" not in done.err, command


def test_the_search_finds_what_is_shown(tmp_path: Path) -> None:
    """In what was printed, in a file, in an archive's names and in its manifest."""
    overhear("standard error", f"a line with {secret('mail')}")
    (tmp_path / "history.sqlite").write_bytes(b"\0" * 9000 + MARK.encode())
    for name, content in {"a.zip": ("x", MARK), "b.zip": (MARK, ""), "c.zip": MANIFEST}.items():
        with ZipFile(tmp_path / name, "w", ZIP_DEFLATED) as archive:
            archive.writestr(*content)
    PLACES.append(tmp_path)
    found = [each.rpartition("/")[2] for each in shown()]
    assert found == [
        f"standard error: …a line with {secret('mail')}…",
        "b.zip",
        "c.zip",
        "history.sqlite",
    ]
    OVERHEARD.clear()
    PLACES.clear()
