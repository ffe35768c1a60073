"""The operator's own commands around a restore in place."""

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from backupd.errors import BackupdError

_TAIL = 2000


def run_hooks(name: str, commands: Sequence[str], folder: Path) -> None:
    """Run commands one after the other in `folder`, split as a shell would, but without a shell.

    Raises:
        BackupdError: one cannot be started or ends with another status than 0; the rest is not
            run. `name` is the setting that it comes from.
    """
    for command in commands:
        try:
            done = subprocess.run(
                shlex.split(command),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except (OSError, ValueError) as error:
            raise _failed(name, command, str(error)) from error
        if done.returncode != 0:
            said = os.fsdecode(done.stdout[-_TAIL:]).strip()
            raise _failed(name, command, f"it ended with status {done.returncode}: {said}")


def _failed(name: str, command: str, what: str) -> BackupdError:
    return BackupdError(
        f"The command '{command}' of {name} failed: {what}",
        hint=f"Run it by hand in the application's directory, or correct {name}.",
    )
