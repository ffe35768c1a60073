"""A program that stands in for `backupd run` and the like: it works for as long as it is told.

It is given a folder and a command. It notes its start in `<folder>/log`, then does what
`<folder>/<command>` says, word by word: `exit N`, `hang`, `kill` (itself), `move` (progress until
it is stopped), `deaf` (as `hang`, and SIGTERM does nothing). The default is `exit 0`.
"""

import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from backupd.events import OperationStarted, Progressed
from backupd.observers import relay


def main(folder: Path, command: str) -> int:
    values = json.loads(os.pread(int(os.environ["BACKUPD_SETTINGS_FD"]), 1_000_000, 0))
    name, _ = values["BACKUP_NAME"]
    keep, _ = values.get("BACKUP_RETENTION__KEEP_ALL_DAYS", ("7", "default"))
    observe = relay.Relay(int(os.environ[relay.VARIABLE]))
    with (folder / "log").open("a") as log:
        log.write(f"{command} {name} {keep}\n")
    now = datetime(2025, 1, 1, tzinfo=UTC)
    observe(OperationStarted(run_id="r1", operation=command, set_name="shop", at=now))
    plan = folder / command
    words = plan.read_text().split() if plan.exists() else ["exit", "0"]
    match words:
        case ["exit", code]:
            return int(code)
        case ["kill"]:
            os.kill(os.getpid(), signal.SIGKILL)
        case ["deaf"]:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            observe(Progressed(phase="deaf", done=0, total=0))
            time.sleep(60)
        case ["hang"]:
            signal.signal(signal.SIGTERM, stop)
            time.sleep(60)
        case ["move"]:
            signal.signal(signal.SIGTERM, stop)
            for done in range(1, 1000):
                observe(Progressed(phase="zipping", done=done, total=1000))
                time.sleep(0.1)
    return 1


def stop(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(130)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
