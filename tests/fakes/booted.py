"""Boots a Debian that scripts/make-root made, with backupd's package within reach.

The root folder and the package are kept under var/ and dist/, and made again when what they are
made of has changed. What happens in a booted machine stays in memory and ends with it.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fakes.machine import PATIENCE, Machine

ROOT = Path(__file__).parents[2]
MADE_OF = (
    "src",
    "packaging",
    "scripts/build-deb",
    "scripts/make-root",
    "constraints.txt",
    "pyproject.toml",
    "etc",
)


def why_not() -> str:
    """Say why no machine can be booted here; "" if one can."""
    if os.geteuid() != 0:
        return "only root can boot a machine"
    missing = [
        name for name in ("debootstrap", "systemd-nspawn", "nsenter") if not shutil.which(name)
    ]
    return f"not installed: {', '.join(missing)}" if missing else ""


def package_for(release: str) -> Path:
    """Build the package, unless the one that is there is made of the same."""
    digest = hashlib.sha256()
    for name in MADE_OF:
        for file in sorted([ROOT / name, *(ROOT / name).rglob("*")]):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    stamp = ROOT / "var" / f"package-{release}"
    stamp.parent.mkdir(exist_ok=True)
    built = sorted((ROOT / "dist").glob(f"backupd_*_{release}_*.deb"))
    if not built or not stamp.exists() or stamp.read_text() != digest.hexdigest():
        done = subprocess.run(
            [ROOT / "scripts" / "build-deb", release], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        stamp.write_text(digest.hexdigest())
        built = sorted((ROOT / "dist").glob(f"backupd_*_{release}_*.deb"))
    return built[-1]


@contextmanager
def boot(release: str) -> Iterator[Machine]:
    """Boot the release, with the package at `/backupd.deb`, and shut it down in the end."""
    package = package_for(release)
    nspawn = subprocess.Popen(
        [
            "systemd-nspawn", "--quiet", f"--directory={ROOT / 'var/systemd-roots' / release}",
            "--volatile=overlay", "--boot", "--register=no", "--keep-unit", "--console=pipe",
            f"--bind-ro={package}:/backupd.deb",
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        machine = Machine(release, _leader(nspawn), "/backupd.deb")
        machine.until(
            lambda: machine("systemctl is-system-running").out.strip() in {"running", "degraded"}
        )
        yield machine
    finally:
        nspawn.send_signal(signal.SIGTERM)
        try:
            nspawn.wait(20)
        except subprocess.TimeoutExpired:
            nspawn.kill()
            nspawn.wait()


def _leader(nspawn: "subprocess.Popen[bytes]") -> int:
    children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and nspawn.poll() is None:
        for child in children.read_text().split():
            if Path(f"/proc/{child}/comm").read_text().strip() in {"systemd", "init"}:
                return int(child)
        time.sleep(0.1)
    raise AssertionError("the machine did not boot")
