"""One file of 20 KB out of a backup of 1 GiB on S3: bytes that are fetched, requests, and seconds.

    .venv/bin/python benchmarks/restore_one.py [--mebibytes 1024] [--rounds 7]

The server is Ceph, on loopback; a proxy before it counts the bytes of all replies. (moto reads all
of an object to answer for a part of it.) Plain, encrypted member by member, and with names hidden.
The times are those of the whole command, from its start: by the clock, and of processors.
"""

import argparse
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from conftest import Program, make_program  # noqa: E402
from external.ceph import Ceph  # noqa: E402
from fakes.bucket import OwnBucket  # noqa: E402
from fakes.fault_proxy import FaultProxy  # noqa: E402

MEBIBYTE = 1024 * 1024
WANTED = "storage/app/documents/contract.pdf"
SEALED = {"ARCHIVE_PASSWORD": "a password"}
SEALINGS = {
    "plain": {},
    "encrypted": SEALED,
    "names hidden": {**SEALED, "ENCRYPTION__HIDE_NAMES": "yes"},
}


def lay_down(root: Path, size: int) -> None:
    """Write documents that do not shrink, of 107 KB on average, and the one that is wanted."""
    chance = random.Random(1)
    wanted = root / WANTED
    wanted.parent.mkdir(parents=True)
    wanted.write_bytes(chance.randbytes(20_000))
    number = 0
    while size > 0:
        path = root / f"storage/app/documents/{number // 100:03}/document{number:05}.pdf"
        path.parent.mkdir(exist_ok=True)
        content = chance.randbytes(chance.randrange(20_000, 194_000))
        path.write_bytes(content)
        size -= len(content)
        number += 1


def succeed(program: Program, *arguments: str) -> None:
    """Run it; say what it said if it fails."""
    done = program(*arguments)
    if done.code:
        sys.exit(f"backupd {' '.join(arguments)} ended with {done.code}: {done.err}")


def children_used() -> float:
    """Return the processor seconds of all processes that ended so far."""
    times = os.times()
    return times.children_user + times.children_system


def measure(program: Program, proxy: FaultProxy, rounds: int) -> str:
    """Restore the file again and again; describe the median."""
    out = program.folder / "out"
    seconds, processor, given, requests = [], [], 0, 0
    for _ in range(rounds):
        given, requests = proxy.given, len(proxy.seen)
        started, used = time.monotonic(), children_used()
        succeed(program, "restore", "--to", str(out), "--path", WANTED, "--destination", "offsite")
        seconds.append(time.monotonic() - started)
        processor.append(children_used() - used)
        given, requests = proxy.given - given, len(proxy.seen) - requests
        if (out / WANTED).read_bytes() != (program.root / WANTED).read_bytes():
            sys.exit("What came back is another file.")
        shutil.rmtree(out)
    return (
        f"{statistics.median(seconds):.2f} s (from {min(seconds):.2f} to {max(seconds):.2f}), "
        f"{statistics.median(processor):.2f} of processors (from {min(processor):.2f}), "
        f"{given / MEBIBYTE:.2f} MiB fetched in {requests} requests"
    )


def main() -> None:
    """Print a line for each way to seal an archive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        lay_down(tree, given.mebibytes * MEBIBYTE)
        for number, (sealing, settings) in enumerate(SEALINGS.items()):
            (Path(folder) / str(number)).mkdir()
            program = make_program(Path(folder) / str(number))
            program.set(SOURCE__ROOT=str(tree), **settings)
            shutil.rmtree(program.root)
            program.root.symlink_to(tree)
            with Ceph() as ceph, FaultProxy(ceph.port) as proxy:
                keys = {
                    "access_key_id": ceph.access_key_id,
                    "secret_access_key": ceph.secret_access_key,
                }
                program.keep_in(OwnBucket(url=ceph.url, **keys), proxy.url)
                succeed(program, "run")
                [archive] = program.backups.glob("*.zip")
                size = archive.stat().st_size / MEBIBYTE
                result = measure(program, proxy, given.rounds)
                print(f"{sealing}, {size:.0f} MiB: {result}", flush=True)


if __name__ == "__main__":
    main()
