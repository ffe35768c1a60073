"""backupd itself, at the moment that a file says, as a daemon of that moment would start it.

It is given a folder and a command. It reads the moment in `<folder>/clock`, and notes the command
and its exit code in `<folder>/log`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from freezegun import freeze_time


def main(folder: Path, arguments: Sequence[str]) -> None:
    with freeze_time((folder / "clock").read_text(), tick=True):
        from backupd.cli.main import main as backupd  # noqa: PLC0415

        try:
            backupd(arguments)
        except SystemExit as end:
            with (folder / "log").open("a") as log:
                log.write(f"{arguments[0]} {end.code}\n")
            raise


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
