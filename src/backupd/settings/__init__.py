"""The environment, read once into frozen types; and every message about a mistake in it."""

from backupd.settings.read import Loaded, load_settings
from backupd.settings.schema import Settings

__all__ = ["Loaded", "Settings", "load_settings"]
