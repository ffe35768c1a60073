"""Settings as text: the commented env file, and the effective values with secrets masked."""

import textwrap
from collections.abc import Iterator
from itertools import groupby

from pydantic import BaseModel, SecretStr

from backupd.settings.kinds import masked
from backupd.settings.read import Loaded
from backupd.settings.variables import Variable, all_variables

_HEAD = """\
# Settings of backupd. Every line that begins with '#BACKUP_' shows a setting with its default,
# or an example; take the '#' away to set it. After a change:  systemctl reload backupd
#
# NAME=value. Quote a value that holds a space and a '#': NAME="a # b". Single quotes keep
# backslashes. ${OTHER} is replaced by OTHER's value; a password that holds ${ belongs in a file.
# Every secret can be kept in a file of its own: …_FILE=/path, or be a systemd credential.
# Lists are comma-separated, or JSON where a value holds a comma. This file: chmod 600.
"""
_EXAMPLES = {
    "BACKUP_NAME": "shop",
    "BACKUP_TIMEZONE": "Europe/Paris",
    "BACKUP_SPOOL": "/var/lib/backupd/shop/spool",
    "BACKUP_SOURCE__ROOT": "/srv/shop",
    "BACKUP_SOURCE__EXCLUDE": "vendor/,node_modules/,storage/framework/,storage/logs/",
}


def env_example() -> str:
    """Write an env file with every setting, commented and grouped."""
    return _HEAD + "".join(
        f"\n# --- {' '.join((section.__doc__ or '').split())}\n" + "".join(map(_example, variables))
        for section, variables in groupby(all_variables(), key=lambda each: each.section)
    )


def _example(variable: Variable) -> str:
    lines = textwrap.wrap(variable.description, width=98)
    comment = "".join(f"# {line}\n" for line in lines)
    return f"\n{comment}#{variable.name}={_default(variable)}\n"


def _default(variable: Variable) -> str:
    if variable.name in _EXAMPLES:
        return _EXAMPLES[variable.name]
    if variable.field.is_required():
        return ""
    return as_text(variable.field.default)


def as_text(value: object) -> str:
    """Write a value as it would stand in an env file; a secret as its length only."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return masked(value.get_secret_value())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def effective(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    """Give name, value and origin of every setting that is in force, secrets masked."""
    for name, value in _flat(loaded.settings, "BACKUP_"):
        guide = name.replace("BACKUP_AWS__", "AWS_")
        found = loaded.values.get(guide)
        yield guide, as_text(value), found.origin if found else "default"


def _flat(section: BaseModel, prefix: str) -> Iterator[tuple[str, object]]:
    for key, field in type(section).model_fields.items():
        name, value = prefix + (field.alias or key).upper(), getattr(section, key)
        if isinstance(value, BaseModel):
            yield from _flat(value, f"{name}__")
        elif isinstance(value, dict):
            for own, each in value.items():
                yield from _flat(each, f"{name}__{own.upper()}__")
        else:
            yield name, value
