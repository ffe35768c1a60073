"""Builds one archive of one directory as `backupd run` does; a process of its own for timing."""

import argparse
import gc
from datetime import UTC, datetime
from pathlib import Path

from backupd.archive.making import Making
from backupd.archive.writer import build_archive
from backupd.model import ArchiveHeader, Compression, Scope
from backupd.operations.ahead import Ahead
from backupd.sources.files import FileTree


def main() -> None:
    """Build, and say what was carried over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--password")
    parser.add_argument("--hide-names", action="store_true")
    parser.add_argument("--previous", type=Path)
    parser.add_argument("--compression", type=Compression, default=Compression.FAST)
    given = parser.parse_args()
    header = ArchiveHeader(
        archive=given.target.name,
        set_name="benchmark",
        created_at=datetime.now(UTC),
        timezone="UTC",
        scope=Scope.FULL,
        version="0",
    )
    with Ahead(FileTree(root=given.source).members()) as items:
        archive = build_archive(
            items,
            given.target,
            header,
            password=given.password,
            on_progress=lambda _: None,
            making=Making(
                compression=given.compression, hide_names=given.hide_names, previous=given.previous
            ),
        )
    print(f"{archive.members} members, {archive.carried} carried over, {archive.size} bytes")


if __name__ == "__main__":
    gc.set_threshold(100_000)  # as the command does
    main()
    gc.freeze()  # the same
