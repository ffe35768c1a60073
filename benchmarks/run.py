"""Measures backupd's archive engine and its peers on the same corpora, in turn, on this machine.

    benchmarks/run.py FOLDER [app] [app-aes] [many] [many-aes] [big] [second] [--rounds 5]

Peers that are not installed are left out; on Debian: apt install zip p7zip-full pigz zstd restic
borgbackup php-cli php-zip. Results go to FOLDER/results.json; benchmarks/chart.py draws them.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from corpora import Corpora
from measure import Contestant, median, run_in_turn

HERE = Path(__file__).parent
PHP = f"php -d memory_limit=-1 {HERE}/zip_archive.php"
OURS = f"{sys.executable} {HERE}/engine.py"


def _restic(corpus: Path) -> Contestant:
    restic = "restic --quiet --no-cache --repo {out}"
    command = f"{restic} init && {restic} backup {corpus}"
    return Contestant("restic", f"sh -c '{command}'")


def _borg(corpus: Path) -> Contestant:
    command = f"borg init --encryption=none {{out}} && borg create {{out}}::a {corpus}"
    return Contestant("borg (lz4)", f"sh -c '{command}'")


_SLOW = {"app": 3, "many": 5, "big": 1}
"""Rounds of what takes long, by corpus."""


def _zip(corpus: Path) -> Contestant:
    command = f"sh -c 'cd {corpus} && zip -6 -q -r {{out}} .'"
    return Contestant("zip -6", command, rounds=_SLOW[corpus.name])


def plain(corpus: Path) -> list[Contestant]:
    """First run, not encrypted; for BIG, without those that take many minutes and no interest."""
    tar = f"tar -C {corpus} -cf"
    quick = [
        Contestant("tar, no compression", f"{tar} {{out}} ."),
        Contestant("backupd", f"{OURS} {corpus} {{out}}"),
        Contestant("tar | zstd -T2", f"sh -c '{tar} - . | zstd -q -T2 -o {{out}}'"),
        _restic(corpus),
        _borg(corpus),
        _zip(corpus),
    ]
    if corpus.name == "big":
        return quick
    return [
        *quick,
        Contestant("tar | pigz", f"sh -c '{tar} - . | pigz > {{out}}'", rounds=1),
        Contestant("7z -mx1", f"7z a -tzip -mx1 -bd {{out}} {corpus}/.", rounds=1),
        Contestant("laravel-backup", f"{PHP} {corpus} {{out}}", rounds=_SLOW[corpus.name]),
    ]


def encrypted(corpus: Path) -> list[Contestant]:
    """First run, AES-256."""
    slow = 3 if corpus.name == "app" else 1
    return [
        Contestant("backupd, names hidden", f"{OURS} --password x --hide-names {corpus} {{out}}"),
        Contestant("backupd, by member", f"{OURS} --password x {corpus} {{out}}", rounds=slow),
        Contestant(
            "7z -mx1 AES-256",
            f"7z a -tzip -mx1 -mem=AES256 -px -bd {{out}} {corpus}/.",
            rounds=slow,
        ),
        Contestant("laravel-backup AES-256", f"{PHP} {corpus} {{out}} x", rounds=1),
    ]


def levels(corpus: Path) -> list[Contestant]:
    """The other levels."""
    return [
        Contestant(f"backupd {level}", f"{OURS} --compression {level} {corpus} {{out}}")
        for level in ("fast", "balanced", "small")
    ] + [_zip(corpus)]


def second(corpus: Path, folder: Path) -> list[Contestant]:
    """Another run after one file in a hundred changed since the one before."""
    first, restic, borg = folder / "first.zip", folder / "restic", folder / "borg"
    for old in (first, restic, borg):
        shutil.rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink(missing_ok=True)
    base = f"restic --quiet --repo {restic}"
    (folder / "result.zip").unlink(missing_ok=True)
    time.sleep(6)  # or what was laid down just now would be taken for racily clean
    for command in (
        f"{OURS} {corpus} {first}",
        f"{base} init",
        f"{base} backup {corpus}",
        f"borg init --encryption=none {borg}",
        f"borg create {borg}::a0 {corpus}",
    ):
        subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)
    change, out = _changer(corpus), folder / "result.zip"

    def prepare() -> None:
        if out.exists():
            out.replace(first)
        change()

    return [
        Contestant("backupd", f"{OURS} --previous {first} {corpus} {{out}}", prepare=prepare),
        Contestant("restic", f"{base} backup {corpus}", keep_output=True),
        Contestant(
            "borg (lz4)",
            f"borg create {borg}::{{{{now:%H%M%S%f}}}} {corpus}",
            keep_output=True,
        ),
    ]


def _changer(corpus: Path) -> Callable[[], None]:
    files = sorted(
        path for path in corpus.rglob("*") if path.is_file() and path.stat().st_size < 1e6
    )
    chance = random.Random(5)

    def change() -> None:
        for path in chance.sample(files, len(files) // 100):
            content = path.read_bytes()
            path.write_bytes(chance.randbytes(20) + content[20:])

    return change


def _told(suite: str, contestants: list[Contestant]) -> list[dict[str, object]]:
    ours = median(next(each for each in contestants if each.name.startswith("backupd")).wall)
    print(f"\n### {suite}\n")
    print("| tool | wall s | times ours | CPU s | result MB | memory MiB |")
    print("|---|---|---|---|---|---|")
    rows: list[dict[str, object]] = []
    for each in contestants:
        wall = median(each.wall)
        memory = f"{each.memory / 2**20:.0f}" if each.memory else ""
        print(
            f"| {each.name} | {wall:.2f} | {wall / ours:.1f} | {median(each.processor):.1f} "
            f"| {each.size / 1e6:.0f} | {memory} |",
            flush=True,
        )
        rows.append(
            {
                "suite": suite,
                "tool": each.name,
                "wall": each.wall,
                "cpu": each.processor,
                "size": each.size,
                "memory": each.memory,
            }
        )
    return rows


def main() -> None:
    """Run the suites that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("suites", nargs="*", default=["app", "app-aes", "many", "big", "second"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    given = parser.parse_args()
    os.environ["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] = "yes"
    os.environ["RESTIC_PASSWORD"] = "x"  # noqa: S105  (repositories to throw away)
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    corpora, out = Corpora(folder), folder / "result.zip"
    results: list[dict[str, object]] = []
    for suite in given.suites:
        name, _, kind = suite.partition("-")
        if name == "second":
            corpus = corpora.lay(kind or "app", given.scale)
            contestants = second(corpus, folder)
        else:
            corpus = corpora.lay(name, given.scale)
            contestants = {"": plain, "aes": encrypted, "levels": levels}[kind](corpus)
        installed = [each for each in contestants if _is_installed(each.command)]
        run_in_turn(installed, out, given.rounds, corpus)
        results += _told(suite, installed)
        (folder / "results.json").write_text(json.dumps(results, indent=1))


def _is_installed(command: str) -> bool:
    programs = {"php", "restic", "borg", "zip", "7z", "zstd", "pigz", "tar"}
    words = command.replace("'", " ").split()
    return all(shutil.which(word) for word in words if word in programs)


if __name__ == "__main__":
    main()
