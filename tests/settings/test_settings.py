"""Settings: what is read from where, and what is said of mistakes."""

from pathlib import Path

import pytest

from backupd.errors import SettingsError
from backupd.settings import Loaded, load_settings
from backupd.settings.texts import effective, env_example
from backupd.settings.variables import all_variables

ODD_PASSWORDS = {
    "'p#a$s s=w\"ord'": 'p#a$s s=w"ord',
    '"with \' and # inside"': "with ' and # inside",
    "pa#ss$word=x": "pa#ss$word=x",
    "ünï çödé": "ünï çödé",
    "'back\\slash'": "back\\slash",
    '"  spaces  "': "  spaces  ",
    "'it\\'s'": "it's",
}


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    path = tmp_path / "backupd.env"
    path.touch(mode=0o600)
    return path


def load(env_file: Path, *lines: str, **process: str) -> Loaded:
    env_file.write_text("\n".join(lines) + "\n")
    return load_settings(process, env_file)


def mistakes(env_file: Path, *lines: str, **process: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as raised:
        load(env_file, *lines, **process)
    return raised.value.mistakes


def password(loaded: Loaded) -> str | None:
    secret = loaded.settings.archive_password
    return None if secret is None else secret.get_secret_value()


def test_no_settings_at_all_are_valid(tmp_path: Path) -> None:
    loaded = load_settings({"BACKUPD_ENV_FILE": ""}, None)
    assert loaded.settings.schedule.backup == "01:00"
    assert loaded.settings.retention.keep_all_days == 7


def test_the_guides_own_lines_work(env_file: Path) -> None:
    loaded = load(
        env_file,
        "# Backup Configuration",
        "BACKUP_MAIL_TO=admin@eli-voyages.com",
        "BACKUP_ARCHIVE_PASSWORD=  # Laisser vide ou définir un mot de passe fort",
        "",
        "AWS_ACCESS_KEY_ID=your-access-key",
        "AWS_SECRET_ACCESS_KEY=your-secret-key",
        "AWS_DEFAULT_REGION=us-east-1",
        "AWS_BUCKET=eli-voyages-backups",
        "APP_NAME=somebody else's",
    )
    assert loaded.settings.mail.to == ("admin@eli-voyages.com",)
    assert password(loaded) is None
    assert loaded.settings.aws.bucket == "eli-voyages-backups"
    assert loaded.settings.aws.default_region == "us-east-1"
    assert loaded.warnings == ()


@pytest.mark.parametrize("written", ODD_PASSWORDS)
def test_odd_passwords_are_read_as_the_docs_say(env_file: Path, written: str) -> None:
    loaded = load(env_file, f"BACKUP_ARCHIVE_PASSWORD={written}")
    assert password(loaded) == ODD_PASSWORDS[written]


def test_the_process_wins_over_the_file(env_file: Path) -> None:
    loaded = load(env_file, "BACKUP_NAME=file", BACKUP_NAME="process")
    assert loaded.settings.name == "process"


def test_a_reference_is_replaced_by_what_it_names(env_file: Path) -> None:
    loaded = load(env_file, "BASE=/srv", "BACKUP_SPOOL=${BASE}/spool/${WHO}", WHO="me")
    assert loaded.settings.spool == Path("/srv/spool/me")


def test_lists_are_comma_separated_or_json(env_file: Path) -> None:
    loaded = load(
        env_file, "BACKUP_SOURCE__INCLUDE= app, .env ,", """BACKUP_SOURCE__EXCLUDE='["a,b", "c"]'"""
    )
    assert loaded.settings.source.include == ("app", ".env")
    assert loaded.settings.source.exclude == ("a,b", "c")


def test_an_empty_value_leaves_the_default_or_means_none(env_file: Path) -> None:
    loaded = load(env_file, "BACKUP_RETENTION__KEEP_ALL_DAYS=", "BACKUP_RETENTION__MAX_MEGABYTES=")
    assert loaded.settings.retention.keep_all_days == 7
    assert loaded.settings.retention.max_megabytes is None


def test_databases_and_destinations_have_names_of_their_own(env_file: Path) -> None:
    loaded = load(
        env_file,
        "BACKUP_DATABASES__MAIN_DB__URL=sqlite:///database.sqlite",
        "BACKUP_DESTINATIONS__OFF_SITE__TYPE=s3",
        "BACKUP_DESTINATIONS__OFF_SITE__BUCKET=backups",
        "BACKUP_DESTINATIONS__HERE__TYPE=local",
        "BACKUP_DESTINATIONS__HERE__PATH=/backups",
    )
    assert list(loaded.settings.databases) == ["main_db"]
    assert {name: each.type for name, each in loaded.settings.destinations.items()} == {
        "off_site": "s3",
        "here": "local",
    }


def test_a_secret_may_stand_in_a_file_of_its_own(env_file: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("${not} # replaced\n")
    loaded = load(env_file, f"BACKUP_ARCHIVE_PASSWORD_FILE={tmp_path / 'secret'}")
    assert password(loaded) == "${not} # replaced"


def test_a_secret_may_be_a_systemd_credential(env_file: Path, tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "BACKUP_ARCHIVE_PASSWORD").write_text("secret")
    loaded = load(env_file, CREDENTIALS_DIRECTORY=str(tmp_path / "credentials"))
    assert password(loaded) == "secret"


def test_a_secret_given_twice_is_a_mistake(env_file: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one")
    [mistake] = mistakes(
        env_file,
        f"BACKUP_ARCHIVE_PASSWORD_FILE={tmp_path / 'secret'}",
        "BACKUP_ARCHIVE_PASSWORD=two",
    )
    assert "keep one of them" in mistake


def test_a_file_that_others_may_read_is_warned_about_when_it_holds_a_secret(
    env_file: Path,
) -> None:
    env_file.chmod(0o644)
    assert load(env_file, "BACKUP_NAME=shop").warnings == ()
    [warning] = load(env_file, "BACKUP_ARCHIVE_PASSWORD=secret").warnings
    assert f"chmod 600 {env_file}" in warning
    assert "secret)" not in warning


WRONG = {
    "BACKUP_RETENTON__KEEP_ALL_DAYS=3": "did you mean BACKUP_RETENTION__KEEP_ALL_DAYS?",
    "BACKUP_DESTINATIONS__X__BUKET=b": "did you mean BACKUP_DESTINATIONS__X__BUCKET?",
    "BACKUP_NONSENSE=1": "there is no such setting",
    "BACKUP_NAME=a b": "'a b' is not allowed. Allowed: letters",
    "BACKUP_TIMEZONE=Europe/Pariss": "a time zone as Europe/Paris",
    "BACKUP_LOG_LEVEL=loud": "'debug', 'info', 'warning' or 'error'",
    "BACKUP_SOURCE__FOLLOW_SYMLINKS=perhaps": "Allowed: yes or no",
    "BACKUP_SOURCE__EXCLUDE=!": "gitignore patterns, which '!' is not",
    "BACKUP_RETENTION__KEEP_ALL_DAYS=seven": "a whole number",
    "BACKUP_RETENTION__KEEP_AT_LEAST=0": "Allowed: 1 or more",
    "BACKUP_RETENTION__MAX_DELETE_PERCENT=101": "Allowed: 100 or less",
    "BACKUP_SCHEDULE__BACKUP=25:00": "a time as 01:00, or a cron line",
    "BACKUP_SCHEDULE__CLEAN=61 * * * *": "a time as 01:00, or a cron line",
    "BACKUP_SPOOL=relative": "a path that starts with '/'",
    "BACKUP_SPOOL=${NOWHERE}/spool": "${NOWHERE} is not set",
    "BACKUP_MAIL__PASSWORD=#secret": "looks like a comment",
    "BACKUP_MAIL__FROM": "there is no '=' after the name",
    "BACKUP_DATABASES__MAIN__URL=oracle://u:hunter2@h/x": "an address that starts with sqlite://",
    "BACKUP_DESTINATIONS__X__TYPE=ftp": "'local' or 's3'",
    "BACKUP_DESTINATIONS__X__PATH=/x": "BACKUP_DESTINATIONS__X__TYPE is not set",
    'BACKUP_LANGUAGE="fr': "is a quote left open?",
}


@pytest.mark.parametrize(
    ("written", "read", "warned"),
    [
        ("abc #def", "abc", True),
        ("abc#def", "abc#def", False),
        ("'abc #def'", "abc #def", False),
        ("'abc' # the password", "abc", False),
        ("  # none", None, False),
    ],
)
def test_a_password_that_ends_at_a_comment_is_warned_of(
    env_file: Path, written: str, read: str | None, *, warned: bool
) -> None:
    loaded = load(env_file, f"BACKUP_ARCHIVE_PASSWORD={written}")
    assert password(loaded) == read
    assert any("taken for a comment" in warning for warning in loaded.warnings) is warned


@pytest.mark.parametrize("line", WRONG)
def test_a_mistake_names_variable_place_and_what_is_allowed(env_file: Path, line: str) -> None:
    [mistake] = mistakes(env_file, "# first line", "", line)
    assert WRONG[line] in mistake
    assert f"{env_file}, line 3" in mistake or "is not set. Allowed: local, s3." in mistake
    assert line.partition("=")[0].startswith(mistake.split(" ")[0].partition("__TYPE")[0]) or (
        mistake.startswith(str(env_file))
    )
    assert "hunter2" not in mistake
    assert "#secret" not in mistake


def test_a_missing_type_hides_no_other_mistake_of_its_destination(env_file: Path) -> None:
    path = "BACKUP_DESTINATIONS__X__PATH=relative"
    missing, *others = mistakes(env_file, path, "BACKUP_DESTINATIONS__X__MAX_RATE=fast")
    assert missing == "BACKUP_DESTINATIONS__X__TYPE is not set. Allowed: local, s3."
    for wrong, allowed in zip(others, ("a path that starts", "a size as 500kB"), strict=True):
        assert f"Allowed: {allowed}" in wrong


def test_what_must_be_set_says_what_it_is(env_file: Path) -> None:
    [mistake] = mistakes(env_file, "BACKUP_DESTINATIONS__X__TYPE=local")
    assert mistake == (
        "BACKUP_DESTINATIONS__X__PATH is not set, and it must be (local: the directory)."
    )


def test_all_mistakes_are_said_at_once(env_file: Path) -> None:
    lines = [line for line in WRONG if "__X__" not in line and "LANGUAGE" not in line]
    found = mistakes(
        env_file,
        *dict(zip([each.partition("=")[0] for each in lines], lines, strict=True)).values(),
    )
    names = {each.partition("=")[0] for each in lines}
    assert {mistake.split(" ")[0] for mistake in found} == names


def test_an_unknown_name_in_the_process_is_only_a_warning(env_file: Path) -> None:
    [warning] = load(env_file, BACKUP_RETENTON__KEEP_ALL_DAYS="3").warnings
    assert "did you mean BACKUP_RETENTION__KEEP_ALL_DAYS?" in warning


@pytest.mark.parametrize("value", ["secret # a comment", "# a comment", "${HOME}/x"])
def test_a_value_in_the_process_that_nobody_read_by_the_rules_is_a_mistake(
    env_file: Path, value: str
) -> None:
    [mistake] = mistakes(env_file, BACKUP_ARCHIVE_PASSWORD=value)
    assert "BACKUP_ARCHIVE_PASSWORD_FILE" in mistake
    assert "secret" not in mistake


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load_settings({}, tmp_path / "nowhere.env")


def test_show_masks_secrets_and_says_where_each_value_came_from(env_file: Path) -> None:
    loaded = load(env_file, "BACKUP_ARCHIVE_PASSWORD=hunter22", "BACKUP_NAME=shop")
    shown = {name: (value, origin) for name, value, origin in effective(loaded)}
    assert shown["BACKUP_NAME"] == ("shop", f"{env_file}, line 2")
    assert shown["BACKUP_ARCHIVE_PASSWORD"] == (
        "(secret, 8 characters)",
        f"{env_file}, line 1",
    )
    assert shown["BACKUP_RETENTION__KEEP_AT_LEAST"] == ("3", "default")


def test_the_example_has_every_variable_once_and_is_valid_as_it_stands(env_file: Path) -> None:
    example = env_example()
    for variable in all_variables():
        assert example.count(f"\n#{variable.name}=") == 1
        assert variable.description
    load(env_file, example)


def test_the_examples_defaults_are_valid_values(env_file: Path) -> None:
    lines = [
        line.removeprefix("#")
        for line in env_example().splitlines()
        if line.startswith(("#BACKUP_", "#AWS_")) and "<NAME>" not in line
    ]
    assert load(env_file, *lines).settings.retention.keep_daily_days == 16


def test_an_empty_password_line_does_not_hide_a_credential(env_file: Path, tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "backup_archive_password").write_text("secret")
    loaded = load(
        env_file,
        "BACKUP_ARCHIVE_PASSWORD=  # leave empty",
        CREDENTIALS_DIRECTORY=str(tmp_path / "credentials"),
    )
    assert password(loaded) == "secret"


def test_an_empty_secret_file_is_a_mistake_and_not_no_password(
    env_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").touch()
    [mistake] = mistakes(env_file, f"BACKUP_ARCHIVE_PASSWORD_FILE={tmp_path / 'secret'}")
    assert "is empty" in mistake


def test_of_an_address_only_the_password_is_hidden(env_file: Path) -> None:
    env_file.chmod(0o644)
    loaded = load(env_file, "BACKUP_DATABASES__A__URL=sqlite:///a.sqlite")
    assert loaded.warnings == ()
    assert ("BACKUP_DATABASES__A__URL", "sqlite:///a.sqlite") in shown(loaded)
    loaded = load(env_file, "BACKUP_DATABASES__B__URL=postgresql://me:p@ss:word@host/b")
    assert ("BACKUP_DATABASES__B__URL", "postgresql://me:***@host/b") in shown(loaded)
    assert len(loaded.warnings) == 1


def shown(loaded: Loaded) -> set[tuple[str, str]]:
    return {(name, value) for name, value, _ in effective(loaded)}


def test_jitter_longer_than_the_shortest_period_is_a_mistake(env_file: Path) -> None:
    lines = ("BACKUP_SCHEDULE__BACKUP=0 */6 * * *", "BACKUP_SCHEDULE__MONITOR=*/30 * * * *")
    [mistake] = mistakes(env_file, *lines, "BACKUP_SCHEDULE__JITTER=1801")
    assert mistake == (
        f"BACKUP_SCHEDULE__JITTER ({env_file}, line 3): '1801' is not allowed. Allowed: 1800 or "
        "less, the shortest time between two starts of SCHEDULE__MONITOR ('*/30 * * * *')."
    )
    assert load(env_file, *lines, "BACKUP_SCHEDULE__JITTER=1800").settings.schedule.jitter == 1800


def test_an_unknown_name_in_a_section_is_a_warning_in_the_process_environment(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pydantic-settings would look into the environment by itself."""
    monkeypatch.setenv("BACKUP_RETENTION__KEEPALL", "3")
    loaded = load(env_file, BACKUP_RETENTION__KEEPALL="3")
    assert [warning.partition(" ")[0] for warning in loaded.warnings] == [
        "BACKUP_RETENTION__KEEPALL"
    ]


def test_only_what_was_found_counts(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKUP_RETENTION__KEEP_AT_LEAST", "9")
    assert load(env_file).settings.retention.keep_at_least == 3
