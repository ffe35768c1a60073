"""What the machine and the settings give without being asked: name, zone, state, secrets."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import BaseModel, SecretStr


def name_after(root: Path) -> str:
    """Name a set after its root's last directory, as far as a set can be named so."""
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "-", root.name).strip("-._")
    return cleaned[:100] or "backup"


def system_zone() -> ZoneInfo:
    """Give the machine's own time zone."""
    import tzlocal  # noqa: PLC0415  (only where no zone is set)

    return ZoneInfo(tzlocal.get_localzone_name() or "UTC")


def state_directory(process: Mapping[str, str]) -> Path:
    """Find where state is kept: systemd's StateDirectory, else the user's or the system's."""
    if given := process.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    if os.geteuid() == 0:
        return Path("/var/lib/backupd")
    home = process.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "backupd"


def secrets(section: BaseModel) -> Iterator[str]:
    """Give every secret text in the settings, and the passwords within addresses."""
    for key in type(section).model_fields:
        value = getattr(section, key)
        for each in value.values() if isinstance(value, dict) else [value]:
            if isinstance(each, BaseModel):
                yield from secrets(each)
            elif isinstance(each, SecretStr):
                text = each.get_secret_value()
                yield text
                if match := re.search(r"://[^/@]*:([^/]*)@", text):
                    yield match[1]
