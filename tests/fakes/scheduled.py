"""A daemon as `backupd daemon` makes it, but with stand-in operations and a clock in a file."""

import os
import sys
from datetime import datetime
from pathlib import Path

from backupd.daemon.control import socket_path
from backupd.daemon.loop import Daemon
from backupd.daemon.scheduler import Scheduler
from backupd.daemon.systemd import Systemd
from backupd.errors import BackupdError
from backupd.logs import Redactor, configure_logs
from backupd.observers.log import log_event
from backupd.settings import load_settings
from backupd.wiring import App


class FileClock:
    """Shows what a file says."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def now(self) -> datetime:
        return datetime.fromisoformat(self.path.read_text())


def main(folder: Path) -> int:
    def load() -> App:
        return App(load_settings(os.environ), os.environ, FileClock(folder / "clock"))

    configure_logs("console", "INFO", Redactor(()), {})
    program = (sys.executable, str(Path(__file__).parent / "operation.py"), str(folder))
    try:
        app = load()
        scheduler = Scheduler(app, lambda _: log_event, os.environ, program)
        path = socket_path(os.environ, app.set_name)
        Daemon(scheduler, Systemd(os.environ), path, load).run()
    except BackupdError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
