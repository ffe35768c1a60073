"""Where settings stand: the env file, the process, files of secrets, systemd's credentials."""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import Binding, parse_stream
from dotenv.variables import Variable as Reference
from dotenv.variables import parse_variables

from backupd.settings.kinds import masked
from backupd.settings.variables import ALIASES, nearest, variable

_UNEXPANDED = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\}")
_SWALLOWED = re.compile(r"^#\s|\s#\s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One variable's text, and where it was found."""

    text: str = field(repr=False)
    origin: str


@dataclass(slots=True)
class Environment:
    """What was found everywhere, with the mistakes and warnings met on the way."""

    values: dict[str, Found] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take_file(self, path: Path, process: Mapping[str, str]) -> None:
        """Read an env file by the rules of python-dotenv; `process` is what `${…}` may name.

        A name of ours that does not exist is a mistake here.
        """
        try:
            with path.open(encoding="utf-8") as stream:
                bindings = list(parse_stream(stream))
                mode = os.fstat(stream.fileno()).st_mode
        except OSError as error:
            who = " Do this as root: sudo." if isinstance(error, PermissionError) else ""
            self.mistakes.append(f"{path} cannot be read: {error.strerror}.{who}")
            return
        except UnicodeDecodeError as error:
            self.mistakes.append(f"{path} is not UTF-8 text: {error.reason}.")
            return
        known = dict(process)
        for binding in bindings:
            self._take_binding(binding, path, known)
        self._warn_of_readers(path, mode)

    def _take_binding(self, binding: Binding, path: Path, known: dict[str, str]) -> None:
        origin = f"{path}, line {binding.original.line + _blank_lines(binding)}"
        if binding.error:
            self.mistakes.append(f"{origin}: this is not NAME=value; is a quote left open?")
            return
        if binding.key is None:
            return
        name, text = binding.key.upper(), binding.value
        if text is None:
            if _is_ours(name):
                self.mistakes.append(f"{name} ({origin}): there is no '=' after the name.")
            return
        atoms = list(parse_variables(text))
        missing = list(filter(None, (_missing_name(atom, known) for atom in atoms)))
        known[binding.key] = expanded = "".join(atom.resolve(known) for atom in atoms)
        if not _is_ours(name):
            return
        if missing:
            self.mistakes.append(
                f"{name} ({origin}): ${{{missing[0]}}} is not set, so it would be left out."
                + _way_round(name)
            )
        elif _is_bare_comment(binding):
            self.mistakes.append(
                f"{name} ({origin}): the value looks like a comment. Put a space before the #, "
                "or quotes around the value."
            )
        elif self._is_known(name, origin, mistake=True):
            self._warn_of_loss(name, origin, binding)
            self.values[name] = Found(text=expanded, origin=origin)

    def _warn_of_loss(self, name: str, origin: str, binding: Binding) -> None:
        if name in self.values:
            self.warnings.append(f"{name} ({origin}) is set before too; the last one counts.")
        if binding.value and _is_secret(name) and _ends_at_a_comment(binding):
            self.warnings.append(
                f"{name} ({origin}): what stands from its # on is taken for a comment. If it "
                "belongs to the value, put quotes around the whole."
            )

    def take_process(self, process: Mapping[str, str]) -> None:
        """Read the process environment; a name of ours that does not exist is a warning here."""
        for key, text in process.items():
            name = key.upper()
            if not _is_ours(name) or not self._is_known(name, "environment", mistake=False):
                continue
            what = _literal_mistake(text)
            if what:
                self.mistakes.append(f"{name} (environment): {what}.{_way_round(name)}")
            self.values[name] = Found(text=text, origin="environment")

    def take_credentials(self, directory: Path) -> None:
        """Read systemd's credentials that have the name of a variable (systemd.exec(5))."""
        for path in sorted(directory.iterdir()) if directory.is_dir() else []:
            name = path.name.upper()
            if variable(name) is not None and not self._has_text(name):
                self._take_secret_file(name, path, f"credential {path.name}")

    def open_secret_files(self) -> None:
        """Replace each `…_FILE` by what is in the file that it names."""
        for file_name in [name for name in self.values if _names_a_file(name)]:
            name, found = file_name.removesuffix("_FILE"), self.values.pop(file_name)
            if not found.text:
                continue
            if self._has_text(name):
                self.mistakes.append(
                    f"{file_name} ({found.origin}): {name} is set too "
                    f"({self.values[name].origin}); keep one of them."
                )
                continue
            self._take_secret_file(name, Path(found.text), f"{file_name} ({found.origin})")

    def rename_aliases(self) -> None:
        """Put the guide's names under the names they stand for."""
        for alias, name in ALIASES.items():
            found = self.values.pop(alias, None)
            if found is not None:
                self.values.setdefault(name, found)

    def _has_text(self, name: str) -> bool:
        return name in self.values and bool(self.values[name].text)

    def _take_secret_file(self, name: str, path: Path, origin: str) -> None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            self.mistakes.append(f"{origin}: {path} cannot be read: {reason}.")
            return
        secret = text.rstrip("\r\n")
        if not secret:
            self.mistakes.append(f"{origin}: {path} is empty; it should hold the secret.")
        self.values[name] = Found(text=secret, origin=origin)

    def _is_known(self, name: str, origin: str, *, mistake: bool) -> bool:
        if variable(name) is not None or _names_a_file(name):
            return True
        if name.startswith("BACKUP_"):
            guess = nearest(name)
            meant = f"; did you mean {guess}?" if guess else "; 'backupd config example' has all."
            where = self.mistakes if mistake else self.warnings
            where.append(f"{name} ({origin}): there is no such setting{meant}")
        return False

    def _warn_of_readers(self, path: Path, mode: int) -> None:
        holds = [
            name
            for name, found in self.values.items()
            if _is_secret(name) and masked(found.text) != found.text
        ]
        if holds and stat.S_IMODE(mode) & 0o077:
            self.warnings.append(
                f"{path} holds a secret ({holds[0]}) and others may read it: chmod 600 {path}"
            )


def _is_ours(name: str) -> bool:
    return name.startswith(("BACKUP_", "AWS_"))


def _names_a_file(name: str) -> bool:
    """Tell whether it is `…_FILE` of a secret, and not a setting that ends so by itself."""
    return variable(name) is None and _is_secret(name.removesuffix("_FILE"))


def _is_secret(name: str) -> bool:
    known = variable(name)
    return known is not None and known.secret


def _missing_name(atom: object, known: Mapping[str, str]) -> str:
    """Name what a `${…}` without a default refers to, if it is not set anywhere."""
    if isinstance(atom, Reference) and atom.default is None and atom.name not in known:
        return atom.name
    return ""


def _is_bare_comment(binding: Binding) -> bool:
    """Tell whether the value is `#…` without quotes."""
    written = binding.original.string.partition("=")[2].lstrip()
    return bool(binding.value) and written.startswith("#")


def _ends_at_a_comment(binding: Binding) -> bool:
    """Tell whether a value without quotes has a comment behind it."""
    written = binding.original.string.partition("=")[2].strip()
    return not written.startswith(("'", '"')) and "#" in written.removeprefix(binding.value or "")


def _way_round(name: str) -> str:
    """Say how to give a secret that is meant to look so."""
    return f" If it is meant so, keep it in a file: {name}_FILE=PATH." if _is_secret(name) else ""


def _literal_mistake(text: str) -> str:
    """Say what shows that nobody read the value as an env file's rules would have it."""
    if _UNEXPANDED.search(text):
        return "it holds a ${…} that nothing has replaced"
    if _SWALLOWED.search(text):
        return "a comment seems to have become part of it"
    return ""


def _blank_lines(binding: Binding) -> int:
    """Count the empty lines that dotenv gives as part of the binding after them."""
    text = binding.original.string
    return text[: len(text) - len(text.lstrip())].count("\n")
