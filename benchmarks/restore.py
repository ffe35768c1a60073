"""Restores and verifies the corpus APP: backupd's commands and their peers, in turn.

    benchmarks/restore.py FOLDER [--rounds 5]

The archives are made by `backupd run`, and the peers read the same ones; restic has a repository
of its own. On Debian: apt install unzip p7zip-full restic.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from corpora import Corpora
from measure import Contestant, median, run_in_turn

ENV = """BACKUP_NAME=app
BACKUP_SOURCE__ROOT={corpus}
BACKUP_DESTINATIONS__local__TYPE=local
BACKUP_DESTINATIONS__local__PATH={folder}/destination
BACKUP_SPOOL={folder}/spool
BACKUP_ARCHIVE_PASSWORD={password}
"""


def taken(corpus: Path, folder: Path, password: str) -> tuple[str, Path]:
    """Take a backup; return how to call backupd on it, and its archive."""
    folder.mkdir(parents=True, exist_ok=True)
    env = folder / "backupd.env"
    env.touch(mode=0o600)
    env.write_text(ENV.format(corpus=corpus, folder=folder, password=password))
    backupd = f"env STATE_DIRECTORY={folder}/state {sys.executable} -m backupd --quiet"
    backupd += f" --env-file {env}"
    if not list(folder.glob("destination/*.zip")):
        subprocess.run(f"{backupd} run".split(), check=True)
    return backupd, max(folder.glob("destination/*.zip"))


def main() -> None:
    """Print a table for each kind of work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    os.environ["RESTIC_PASSWORD"] = "x"  # noqa: S105  (a repository to throw away)
    folder = given.folder.absolute()
    corpus = Corpora(folder).lay("app")
    backupd, plain = taken(corpus, folder / "plain", "")
    backupd_aes, encrypted = taken(corpus, folder / "encrypted", "x")
    restic = f"restic --quiet --no-cache --repo {folder}/restic-restore"
    if not (folder / "restic-restore").exists():
        subprocess.run(f"{restic} init".split(), check=True, stdout=subprocess.DEVNULL)
        subprocess.run(f"{restic} backup {corpus}".split(), check=True)
    works = {
        "restore": [
            Contestant("backupd restore", f"{backupd} restore --to {{out}}"),
            Contestant("unzip", f"unzip -q {plain} -d {{out}}"),
            Contestant("cp -a", f"cp -a {corpus} {{out}}"),
            Contestant("restic restore", f"{restic} restore latest --target {{out}}"),
        ],
        "restore, AES-256": [
            Contestant("backupd restore", f"{backupd_aes} restore --to {{out}}"),
            Contestant("7z x", f"7z x -px -bd -o{{out}} {encrypted}"),
        ],
        "verify": [
            Contestant("backupd verify", f"{backupd} verify"),
            Contestant("unzip -t", f"unzip -qt {plain}"),
            Contestant("7z t", f"7z t -bd {plain}"),
        ],
        "verify, AES-256": [
            Contestant("backupd verify", f"{backupd_aes} verify"),
            Contestant("7z t", f"7z t -px -bd {encrypted}"),
        ],
    }
    for work, contestants in works.items():
        archive = encrypted if "AES" in work else plain
        run_in_turn(contestants, folder / "restored", given.rounds, archive)
        ours = median(contestants[0].wall)
        print(f"\n### {work}\n\n| tool | wall s | times ours | CPU s |\n|---|---|---|---|")
        for each in contestants:
            wall, processor = median(each.wall), median(each.processor)
            print(f"| {each.name} | {wall:.2f} | {wall / ours:.2f} | {processor:.1f} |", flush=True)


if __name__ == "__main__":
    main()
