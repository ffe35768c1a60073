"""What a worker is told of a member, and what is read of it later."""

import hashlib
import random
from collections.abc import Generator
from datetime import UTC
from pathlib import Path

import pytest

from backupd.archive.content import Chunk, content
from backupd.archive.reader import open_archive
from backupd.archive.reading import Reading
from backupd.archive.view import ObjectView
from backupd.errors import DamagedError
from backupd.model import Member
from fakes.archives import KEY, archive_of
from fakes.destinations import MemoryDestination


def test_a_reading_begins_as_the_member_that_it_is_of() -> None:
    assert Reading._fields[:-1] == Member._fields[: len(Reading._fields) - 1]
    known = ("mtime_ns", "mode", "size", "uid", "gid", "ctime_ns", "inode", "device")
    assert Member._fields[2:10] == known


@pytest.mark.parametrize("size", [10, 1000, 9_000_000])
def test_content_is_compared_with_the_digest_small_or_hashed_aside(
    tmp_path: Path, size: int
) -> None:
    data = random.Random(5).randbytes(size // 2) * 2  # noqa: S311  (the same every time)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_bytes(data)
    archive_of(tmp_path / "tree", tmp_path / "kept")
    kept = (tmp_path / "kept" / KEY).read_bytes()
    destination = MemoryDestination("memory")
    destination.objects = {KEY: kept}
    view = ObjectView(destination=destination, key=KEY, size=len(kept))
    archive = open_archive(view, password=None, zone=UTC)
    (record,) = (each.record for each in archive.members)

    def given(sha256: str) -> Generator[Chunk]:
        raw = view.stream(record.offset, record.end - record.offset)
        return content(record, raw, password=None, sha256=sha256)

    assert b"".join(given(hashlib.sha256(data).hexdigest())) == data
    with pytest.raises(DamagedError, match="its SHA-256 is not the one in the manifest"):
        b"".join(given("0" * 64))
    abandoned = given("0" * 64)
    assert next(abandoned)[:10] == data[:10]
    abandoned.close()
