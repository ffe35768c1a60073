"""Archive name ↔ set name and time; and the names of what goes into an archive or beside it."""

import re
import secrets
from collections.abc import Collection
from datetime import UTC, datetime, tzinfo

from backupd.model import Scope

LATEST, ALL = "latest", "all"
"""What stands for the name of the newest backup, and for those of all."""

_CHECKSUM, _PINNED = ".sha256", ".pinned"
_BESIDE = {_CHECKSUM, _PINNED, *(f".{scope}" for scope in Scope)}
_STAMP = "%Y-%m-%d-%H-%M-%S"
_STAMP_PATTERN = r"\d{4}-\d{2}-\d{2}-\d{2}-\d{2}-\d{2}"
_SUFFIX_PATTERN = r"[A-Za-z][A-Za-z0-9_.]*(?:-[A-Za-z][A-Za-z0-9_.]*)*"
_PARTIAL = re.compile(r"\.(.+)\.[0-9a-f]{8}\.partial")
_SET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ENDS_WITH_NUMBER = re.compile(rf"{_STAMP_PATTERN}(?:-{_SUFFIX_PATTERN})?-([1-9]\d*)\.zip$")
_ENDS_WITH_STAMP = re.compile(rf"(^|-){_STAMP_PATTERN}(-|$)")


def set_name_mistake(name: str) -> str:
    """Say what is wrong with a backup set's name; "" if nothing is."""
    if not _SET_NAME.fullmatch(name):
        return "letters, digits, '.', '_' and '-', starting with a letter or digit, at most 100"
    if _ENDS_WITH_STAMP.search(name):
        return "a name without a date and time in it, which would look like an archive's"
    return ""


def suffix_mistake(suffix: str) -> str:
    """Say what is wrong with the text of `--suffix`; "" if nothing is."""
    if re.fullmatch(_SUFFIX_PATTERN, suffix) and not suffix.lower().endswith(".zip"):
        return ""
    return "words of letters, digits, '.' and '_' joined by '-', each starting with a letter"


def archive_name(
    set_name: str, when: datetime, zone: tzinfo, *, suffix: str = "", number: int = 1
) -> str:
    """Name an archive: `<name>-YYYY-MM-DD-HH-MM-SS[-suffix][-number].zip`, in the set's zone."""
    parts = [set_name, when.astimezone(zone).strftime(_STAMP)]
    if suffix:
        parts.append(suffix)
    if number > 1:
        parts.append(str(number))
    return "-".join(parts) + ".zip"


def archive_time(set_name: str, key: str, zone: tzinfo) -> datetime | None:
    """Read from a key when its archive was made, in UTC; None if it is no archive of this set.

    Only names of exactly this set's shape count, so that `shop` never touches `shop-eu`. A time
    that the zone's clocks show twice is taken for the earlier one.
    """
    pattern = rf"{re.escape(set_name)}-({_STAMP_PATTERN})(?:-{_SUFFIX_PATTERN})?(?:-[1-9]\d*)?\.zip"
    match = re.fullmatch(pattern, key, re.ASCII)
    if match is None:
        return None
    try:
        year, month, day, hour, minute, second = map(int, match[1].split("-"))
        local = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def archive_number(key: str) -> int:
    """Read which one of its second an archive is: 2 of `…-2.zip`, and 1 of any other."""
    match = _ENDS_WITH_NUMBER.search(key)
    return int(match[1]) if match else 1


def pin_key(archive_key: str) -> str:
    """Name the object beside an archive that keeps it from being removed."""
    return archive_key + _PINNED


def scope_key(archive_key: str, scope: Scope) -> str:
    """Name the object beside an archive that says how much of the set it holds, if not all."""
    return f"{archive_key}.{scope}"


def scope_among(archive_key: str, keys: Collection[str]) -> Scope:
    """Tell how much of the set an archive holds, by what stands beside it among `keys`."""
    marked = (scope for scope in Scope if scope_key(archive_key, scope) in keys)
    return next(marked, Scope.FULL)


def archive_of(key: str) -> str:
    """Name the archive that an object of ours stands beside; any other key is given back."""
    archive, dot, ending = key.rpartition(".")
    beside = archive.endswith(".zip") and dot + ending in _BESIDE
    return archive if beside else key


def checksum_key(archive_key: str) -> str:
    """Name the object beside an archive that `sha256sum -c` reads."""
    return archive_key + _CHECKSUM


def is_of_set(set_name: str, key: str, zone: tzinfo) -> bool:
    """Tell whether a key is an archive of this set, or stands beside one."""
    return archive_time(set_name, archive_of(key), zone) is not None


def partial_name(key: str) -> str:
    """Make up a hidden name for what is to be `key`, as long as it is not whole."""
    return f".{key}.{secrets.token_hex(4)}.partial"


def key_of_partial(name: str) -> str:
    """Read from a name of `partial_name`'s what it is to be; "" from any other."""
    match = _PARTIAL.fullmatch(name)
    return match[1] if match else ""


def dump_path(kind: str, name: str, when: datetime, zone: tzinfo, extension: str) -> str:
    """Name a dump inside an archive: `db-dumps/<kind>-<name>-<timestamp>.<ext>`."""
    return f"db-dumps/{kind}-{name}-{when.astimezone(zone).strftime(_STAMP)}.{extension}"
