"""The table of all variables, made from the schema: the names that exist, and what each is."""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Annotated, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from backupd.settings.schema import Settings

ALIASES = {"BACKUP_MAIL_TO": "BACKUP_MAIL__TO"}
"""Another name of a variable: the guide's."""

AWS_PREFIX = "BACKUP_AWS__"
"""The `aws` section stands for the guide's `AWS_…` names, which have no prefix."""

_NAME = "<NAME>"
_NAME_PATTERN = "[A-Z0-9]+(?:[_-][A-Z0-9]+)*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable; `<NAME>` in its name stands for a database's or destination's own."""

    name: str
    section: type[BaseModel]
    field: FieldInfo

    @property
    def description(self) -> str:
        """What it means, on one line."""
        return " ".join((self.field.description or "").split())

    @property
    def secret(self) -> bool:
        """Whether its value is never shown."""
        return SecretStr in _leaves(self.field.annotation)

    @property
    def empty_means_none(self) -> bool:
        """Whether an empty value is a value: none, where the default is something."""
        return self.field.default is not None and NoneType in _leaves(self.field.annotation)

    @property
    def pattern(self) -> re.Pattern[str]:
        """Match the names that this variable goes by."""
        return re.compile(re.escape(self.name).replace(_NAME, f"(?P<name>{_NAME_PATTERN})"))


@cache
def all_variables() -> tuple[Variable, ...]:
    """Give every variable once, in the order of the schema."""
    found: dict[str, Variable] = {}
    for variable in _below(Settings, "BACKUP_"):
        found.setdefault(variable.name, variable)
    return tuple(found.values())


@cache
def variable(name: str) -> Variable | None:
    """Find the variable that goes by `name`, in capitals."""
    known = ALIASES.get(name, name)
    return next((each for each in all_variables() if each.pattern.fullmatch(known)), None)


def nearest(name: str) -> str:
    """Give the known name that `name` was probably meant to be, or ""."""
    parts = name.split("__")
    own = parts[1] if len(parts) > 2 else _NAME  # noqa: PLR2004  (SECTION__NAME__KEY)
    names = [each.name.replace(_NAME, own) for each in all_variables()] + list(ALIASES)
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.75)), "")


def by_location(location: tuple[int | str, ...], values: Mapping[str, object]) -> str:
    """Name the variable that pydantic means by `location`, among those that have `values`."""
    words = [str(part).upper() for part in location]
    if words[0] == "DESTINATIONS" and len(words) > 3:  # noqa: PLR2004  (a union's tag)
        del words[2]
    if words[0] == "AWS":
        return "_".join(words)
    name = "BACKUP_" + "__".join(words)
    if len(words) == 2 and variable(name) is None:  # noqa: PLR2004  (a tag that is wrong)
        name += "__TYPE"
    while name not in values and variable(name) is None and "__" in name:
        name = name.rpartition("__")[0]  # an item of a list
    return name


def _below(section: type[BaseModel], prefix: str) -> Iterator[Variable]:
    for key, field in section.model_fields.items():
        name = prefix + (field.alias or key).upper()
        models = [kind for kind in _leaves(field.annotation) if _is_section(kind)]
        in_dictionary = get_origin(field.annotation) is dict
        for model in models:
            yield from _below(model, f"{name}__{_NAME}__" if in_dictionary else f"{name}__")
        if not models:
            guide = name.replace(AWS_PREFIX, "AWS_")
            yield Variable(name=guide, section=section, field=field)


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _leaves(annotation: object) -> list[type]:
    """Take a type apart into the types it is made of."""
    if get_origin(annotation) is Annotated:
        return _leaves(get_args(annotation)[0])
    arguments = get_args(annotation)
    if not arguments:
        return [annotation] if isinstance(annotation, type) else []
    return [leaf for argument in arguments for leaf in _leaves(argument)]
