"""How much CPU it takes to list and plan 10,000 backups in a local directory."""

import resource
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backupd.catalog import Catalog
from backupd.destinations.local import LocalDirectory
from backupd.naming import archive_name, checksum_key
from backupd.retention import Policy, make_plan

COUNT = 10_000
ROUNDS = 5


def cpu() -> float:
    """Return the seconds of CPU that this process has used, in user mode and in the kernel."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the CPU time of each round."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(COUNT):
            key = archive_name("shop", now - timedelta(hours=6 * number), UTC)
            (Path(folder) / key).write_bytes(bytes(100))
            (Path(folder) / checksum_key(key)).touch()
        local = LocalDirectory(name="local", path=Path(folder))
        catalog = Catalog(destination=local, set_name="shop", zone=UTC)
        for _ in range(ROUNDS):
            start = cpu()
            backups = catalog.backups()
            listed = cpu()
            plan = make_plan(Policy(zone=UTC, keep_all_days=1000), backups, now)
            print(
                f"{len(backups)} backups, {len(plan.kept)} kept: "
                f"list {listed - start:.3f} s, plan {cpu() - listed:.3f} s of CPU"
            )


if __name__ == "__main__":
    main()
