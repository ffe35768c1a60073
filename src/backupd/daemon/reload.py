"""What an edit of the settings changes, in words that show no secret."""

from backupd.errors import SettingsError
from backupd.settings import Loaded
from backupd.settings.texts import effective
from backupd.wiring import App


def refuse_moves(old: App, new: App) -> None:
    """Refuse what a running daemon cannot follow.

    Raises:
        SettingsError: the settings are of another backup set.
    """
    if old.set_name != new.set_name:
        raise SettingsError(
            f"The backup set is '{new.set_name}' now, and this daemon looks after "
            f"'{old.set_name}'.",
            hint="Restart the daemon: systemctl restart backupd",
        )


def changes(old: Loaded, new: Loaded) -> list[str]:
    """Name every setting whose value is another one now."""
    before = {name: value for name, value, _ in effective(old)}
    after = {name: value for name, value, _ in effective(new)}
    found = []
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            found.append(f"{name}: {before.get(name, '(not there)')} → {after.get(name, '(gone)')}")
        elif _text(old, name) != _text(new, name):
            found.append(f"{name}: another value, {after[name]}")
    return found


def _text(loaded: Loaded, name: str) -> str | None:
    found = loaded.values.get(name)
    return found.text if found else None
