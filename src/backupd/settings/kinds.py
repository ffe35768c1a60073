"""The kinds of values that settings take, and what each allows in words."""

import json
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, SecretStr

from backupd.cron import parse_schedule
from backupd.naming import set_name_mistake
from backupd.sources.database_url import SERVER_SCHEMES, checked_password, parse_database_url

DATABASE_SCHEMES = ("sqlite", *SERVER_SCHEMES)
_MAIL_ADDRESS = re.compile(r"[^@\s,<>\"]+@[^@\s,<>\"]+")
_WEB_ADDRESS = re.compile(r"https?://[^\s/]+\S*")


def _split(value: object) -> object:
    """Read `a, b` or a JSON list."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError('a comma-separated list, or JSON such as ["a,b", "c"]') from error
    return [part.strip() for part in value.split(",") if part.strip()]


def _split_channels(value: object) -> object:
    """Read a list in which `none` stands for an empty one."""
    return () if value == "none" else _split(value)


def _valid_addresses(value: tuple[str, ...]) -> tuple[str, ...]:
    for address in value:
        if not _MAIL_ADDRESS.fullmatch(address):
            raise ValueError(f"mail addresses as admin@example.org, which {address!r} is not")
    return value


def _valid_web_address(value: SecretStr) -> SecretStr:
    if not _WEB_ADDRESS.fullmatch(value.get_secret_value()):
        raise ValueError("an address that starts with https:// or http://")
    return value


def _none_when_empty(value: object) -> object:
    return None if value == "" else value


def _valid_set_name(value: str) -> str:
    if mistake := set_name_mistake(value):
        raise ValueError(mistake)
    return value


def _valid_schedule(value: str) -> str:
    parse_schedule(value)
    return value


def _valid_patterns(value: tuple[str, ...]) -> tuple[str, ...]:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415  (costs 0.05 s)

    for pattern in value:
        try:
            GitIgnoreSpec.from_lines([pattern])
        except ValueError as error:
            raise ValueError(f"gitignore patterns, which {pattern!r} is not") from error
    return value


def masked(secret: str) -> str:
    """Hide a secret: an address loses its password only, anything else is a length."""
    if secret.startswith(tuple(f"{kind}://" for kind in DATABASE_SCHEMES)):
        return re.sub(r"(://[^/@:]*:).*@", r"\1***@", secret)
    return f"(secret, {len(secret)} characters)" if secret else ""


def _valid_database_url(value: SecretStr) -> SecretStr:
    scheme, separator, rest = value.get_secret_value().partition("://")
    if scheme not in DATABASE_SCHEMES or not separator or not rest.strip("/"):
        raise ValueError(
            "an address that starts with " + ", ".join(map("{}://".format, DATABASE_SCHEMES))
        )
    if scheme != "sqlite":
        parse_database_url(value.get_secret_value())
    return value


def _valid_server_url(value: SecretStr) -> SecretStr:
    parse_database_url(value.get_secret_value())
    return value


def _valid_password(value: SecretStr) -> SecretStr:
    checked_password(value.get_secret_value())
    return value


def _absolute(value: Path) -> Path:
    if not value.is_absolute():
        raise ValueError("a path that starts with '/'")
    return value


DatabaseUrl = Annotated[SecretStr, AfterValidator(_valid_database_url)]
List = Annotated[tuple[str, ...], BeforeValidator(_split)]
Patterns = Annotated[List, AfterValidator(_valid_patterns)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
SetName = Annotated[str, AfterValidator(_valid_set_name)]
Schedule = Annotated[str, AfterValidator(_valid_schedule)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Percent = Annotated[int, Field(ge=0, le=100)]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(ge=0)]
Rate = ByteSize
NoneWhenEmpty = BeforeValidator(_none_when_empty)
OptionalCount = Annotated[Count | None, NoneWhenEmpty]
Secret = SecretStr
ServerUrl = Annotated[SecretStr, AfterValidator(_valid_server_url)]
DatabasePassword = Annotated[SecretStr, AfterValidator(_valid_password)]
Compression = Literal["fast", "balanced", "small"]
Language = Literal["en", "fr"]
LogFormat = Literal["auto", "journal", "console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
Addresses = Annotated[List, AfterValidator(_valid_addresses)]
WebAddress = Annotated[SecretStr, AfterValidator(_valid_web_address)]
Channel = Literal["mail", "webhook", "slack", "discord", "apprise"]
Channels = Annotated[tuple[Channel, ...], BeforeValidator(_split_channels)]
