"""Everything that is set, read once: the settings, where each came from, and what is odd."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource
from typing_extensions import override

from backupd.errors import SettingsError
from backupd.settings import handover
from backupd.settings.environment import Environment, Found
from backupd.settings.mistakes import mistakes_of
from backupd.settings.schema import Settings
from backupd.settings.variables import AWS_PREFIX, variable
from backupd.state_file import is_there

DEFAULT_ENV_FILE = Path("/etc/backupd/backupd.env")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Valid settings; `values` by variable name, `warnings` as sentences."""

    settings: Settings
    values: Mapping[str, Found]
    warnings: tuple[str, ...]
    env_file: Path | None
    """The env file that was read; None if there is none."""


def load_settings(
    process: Mapping[str, str], env_file: Path | None = None, *, default: Path = DEFAULT_ENV_FILE
) -> Loaded:
    """Read the process environment and the env file, and check it all.

    The file is `env_file`, else `$BACKUPD_ENV_FILE`, else `default`; only the last may be
    missing. The process environment wins over it. An operation that the daemon started
    takes over the values that the daemon read.

    Raises:
        SettingsError: with every mistake that was found, each a sentence.
    """
    if descriptor := process.get(handover.VARIABLE):
        values = handover.taken_over(int(descriptor))
        settings = Settings.model_validate(_FoundSource(values)())
        return Loaded(settings=settings, values=values, warnings=(), env_file=env_file)
    environment = Environment()
    path = chosen_env_file(process, env_file, default)
    if path is not None:
        environment.take_file(path, process)
    environment.take_process(process)
    if directory := process.get("CREDENTIALS_DIRECTORY"):
        environment.take_credentials(Path(directory))
    environment.open_secret_files()
    environment.rename_aliases()
    values = {name: found for name, found in environment.values.items() if _counts(name, found)}
    try:
        settings = Settings.model_validate(_FoundSource(values)())
    except ValidationError as error:
        raise SettingsError(*environment.mistakes, *mistakes_of(error, values)) from None
    if environment.mistakes:
        raise SettingsError(*environment.mistakes)
    return Loaded(
        settings=settings,
        values=values,
        warnings=tuple(environment.warnings),
        env_file=path,
    )


def chosen_env_file(
    process: Mapping[str, str], given: Path | None = None, default: Path = DEFAULT_ENV_FILE
) -> Path | None:
    """Tell which env file counts: the one given, else `$BACKUPD_ENV_FILE`, else a default there."""
    if given is None and (named := process.get("BACKUPD_ENV_FILE")):
        return Path(named)
    return given or (default if is_there(default) else None)


def _counts(name: str, found: Found) -> bool:
    """Tell whether a value counts: an empty one leaves the default, save where it means none."""
    known = variable(name)
    return bool(found.text) or (known is not None and known.empty_means_none)


class _FoundSource(EnvSettingsSource):
    """pydantic-settings' own reading of nested names, over what was found instead of os.environ."""

    def __init__(self, values: Mapping[str, Found]) -> None:
        self._texts = {
            name.replace("AWS_", AWS_PREFIX, 1).lower()
            if name.startswith("AWS_")
            else name.lower(): found.text
            for name, found in values.items()
        }
        super().__init__(Settings)

    @override
    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._texts
