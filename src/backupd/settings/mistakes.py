"""What pydantic found wrong, said to an operator: variable, place, value and what is allowed."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from backupd.settings.environment import Found
from backupd.settings.schema import Destination
from backupd.settings.variables import Variable, by_location, variable

_ALLOWED = {
    "bool_parsing": "yes or no",
    "bytes_size": "a size as 500kB or 10MB",
    "byte_size": "a size as 500kB or 10MB",
    "byte_size_unit": "a size as 500kB or 10MB",
    "float_parsing": "a number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "zoneinfo_str": "a time zone as Europe/Paris; 'timedatectl list-timezones' names all",
    "zoneinfo": "a time zone as Europe/Paris; 'timedatectl list-timezones' names all",
}
_SHOWN = 60


def mistakes_of(error: ValidationError, values: Mapping[str, Found]) -> list[str]:
    """Give one sentence for each mistake, in the order of the settings."""
    details = error.errors(include_url=False)
    return [_mistake(each, values) for detail in details for each in (detail, *_behind(detail))]


def _behind(detail: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give the values that are wrong beside a TYPE that is not known: pydantic looks no further."""
    if not detail["type"].startswith("union_tag"):
        return
    given = detail["input"]
    kind = "s3" if "bucket" in given else "local"
    try:
        TypeAdapter(Destination).validate_python({**given, "type": kind})
    except ValidationError as error:
        for each in error.errors(include_url=False):
            if each["type"] not in {"missing", "extra_forbidden"}:  # the kind was but guessed
                yield {**each, "loc": (*detail["loc"], *each["loc"])}


def _mistake(detail: Mapping[str, Any], values: Mapping[str, Found]) -> str:
    name = by_location(detail["loc"], values)
    found = values.get(name)
    place = f" ({found.origin})" if found else ""
    kind = detail["type"]
    if kind == "union_tag_not_found":
        return f"{name} is not set. Allowed: local, s3."
    if kind == "missing" or found is None:
        return f"{name} is not set, and it must be ({_description(variable(name))})."
    if kind == "extra_forbidden":
        return f"{name}{place}: there is no such setting for this TYPE."
    return f"{name}{place}: {_shown(name, found)} is not allowed. Allowed: {_allowed(detail)}."


def _description(known: Variable | None) -> str:
    return known.description.removesuffix(".") if known else "see 'backupd config example'"


def _shown(name: str, found: Found) -> str:
    known = variable(name)
    if known is not None and known.secret:
        return f"the value (hidden, {len(found.text)} characters)"
    text = found.text if len(found.text) <= _SHOWN else found.text[:_SHOWN] + "…"
    return f"'{text}'"


def _allowed(detail: Mapping[str, Any]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "union_tag_invalid":
        return " or ".join(str(context["expected_tags"]).rsplit(", ", 1))
    if kind == "greater_than_equal":
        return f"{context['ge']} or more"
    if kind == "less_than_equal":
        return f"{context['le']} or less"
    return _ALLOWED.get(kind, str(detail["msg"]))
