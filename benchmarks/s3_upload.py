"""Uploads to Ceph on loopback: backupd's driver and `aws s3 cp`, in turn; times and peak memory.

    .venv/bin/python benchmarks/s3_upload.py --aws PATH-OF-aws [--mebibytes 512] [--rounds 6]

`aws` is awscli from the package registry, best in a virtual environment of its own. What counts
is the ratio of the medians: everything shares one machine with the server.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from external.ceph import Ceph  # noqa: E402
from fakes.bucket import OwnBucket  # noqa: E402

MEBIBYTE = 1024 * 1024
NAMES = ("backupd", "aws s3 cp")
OURS = """
import sys
from pathlib import Path
from backupd.clock import SystemClock
from backupd.destinations.s3 import S3Destination
from backupd.destinations.s3_bucket import S3Bucket, S3Keeping
url, name, key, secret, file, state, target = sys.argv[1:]
destination = S3Destination(
    name="s3",
    bucket=S3Bucket(name=name, endpoint_url=url, region="us-east-1", addressing_style="path",
                    access_key_id=key, secret_access_key=secret),
    prefix="", keeping=S3Keeping(), resume_directory=Path(state), owns=lambda _: True,
    clock=SystemClock())
destination.store(target, Path(file), on_progress=lambda _: None)
"""
WATCH = """
import re, subprocess, sys, time
child = subprocess.Popen(sys.argv[2:])
most = 0
while child.poll() is None:
    found = re.search(r"VmHWM:\\s+(\\d+)", open(f"/proc/{child.pid}/status").read())
    most = max(most, int(found[1]) if found else 0)
    time.sleep(0.05)
open(sys.argv[1], "w").write(str(most))
sys.exit(child.returncode)
"""


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Run a program; return its seconds and the MiB that it had in memory at the most."""
    with tempfile.NamedTemporaryFile("r") as report:
        watched = [sys.executable, "-c", WATCH, report.name, *command]
        started = time.monotonic()
        subprocess.run(watched, env=environment, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - started, int(report.read()) / 1024


def commands(bucket: OwnBucket, file: Path, aws: str) -> dict[str, list[str]]:
    """Give the two programs, each with what it uploads and where to."""
    keys = [bucket.access_key_id, bucket.secret_access_key]
    place = [bucket.url, bucket.name, *keys, str(file), str(file.parent / "state"), "ours"]
    copy = ["--endpoint-url", bucket.url, "s3", "cp", "--no-progress", str(file)]
    return {
        NAMES[0]: [sys.executable, "-c", OURS, *place],
        NAMES[1]: [aws, *copy, f"s3://{bucket.name}/theirs"],
    }


def one_round(
    file: Path, aws: str, names: Sequence[str]
) -> Iterator[tuple[str, tuple[float, float]]]:
    """Let both upload to a new cluster, whose memory holds what was ever stored, in that order."""
    with Ceph() as ceph:
        bucket = OwnBucket(
            url=ceph.url,
            access_key_id=ceph.access_key_id,
            secret_access_key=ceph.secret_access_key,
        )
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": bucket.access_key_id,
            "AWS_SECRET_ACCESS_KEY": bucket.secret_access_key,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        # A cluster makes its pools with the first object in parts, which takes seconds.
        first = file.with_name("first")
        first.write_bytes(os.urandom(16 * MEBIBYTE))
        bucket.client.upload_file(str(first), bucket.name, "first")
        programs = commands(bucket, file, aws)
        for name in names:
            yield name, timed(programs[name], environment)


def main() -> None:
    """Print a line per upload and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aws", required=True)
    parser.add_argument("--mebibytes", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=6)
    given = parser.parse_args()
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        with file.open("wb") as output:
            for _ in range(given.mebibytes):
                output.write(os.urandom(MEBIBYTE))
        for number in range(given.rounds):
            names = NAMES[::-1] if number % 2 else NAMES
            for name, (took, peak) in one_round(file, given.aws, names):
                seconds.setdefault(name, []).append(took)
                rate = given.mebibytes / took
                print(
                    f"{name:10}{took:7.2f} s{rate:7.0f} MiB/s{peak:6.0f} MiB in memory", flush=True
                )
    ours, theirs = (statistics.median(seconds[name]) for name in NAMES)
    print(f"backupd is {theirs / ours:.2f} times as fast as aws s3 cp")


if __name__ == "__main__":
    main()
