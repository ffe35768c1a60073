"""The file of an archive is what was written to it, however that got there."""

import errno
import hashlib
import mmap
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backupd.archive.output import FileOutput, UnreadableError
from backupd.direct import BLOCK, DirectFile, opened, sha256_of
from fakes.mounts import mounted, tmpfs

CREATED = os.O_RDWR | os.O_CREAT | os.O_EXCL
SIZES = st.one_of(
    st.integers(0, 9000),
    st.sampled_from([4096, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK]),
    st.integers(0, 3 * BLOCK),
)


@contextmanager
def through_the_cache(path: Path, flags: int) -> Iterator[DirectFile]:
    descriptor = os.open(path, flags, 0o600)
    try:
        yield DirectFile(descriptor, None)
    finally:
        os.close(descriptor)


Opening = Callable[[Path, int], AbstractContextManager[DirectFile]]


@contextmanager
def output_to(path: Path, how: Opening = opened) -> Iterator[FileOutput]:
    with (
        how(path, CREATED) as file,
        ThreadPoolExecutor(1) as hasher,
        ThreadPoolExecutor(1) as writer,
    ):
        yield FileOutput(file, hasher, writer)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "source"
    path.write_bytes(random.Random(2).randbytes(5 * BLOCK))  # noqa: S311  (the same every time)
    return path


@pytest.mark.parametrize("how", [opened, through_the_cache])
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["write", "copy", "taken back"]), SIZES, st.integers(0, 9000)),
        max_size=8,
    )
)
def test_what_is_written_copied_and_taken_back_is_in_the_file(
    tmp_path: Path, source: Path, how: Opening, steps: list[tuple[str, int, int]]
) -> None:
    path, given_bytes, expected = tmp_path / "archive", source.read_bytes(), b""
    path.unlink(missing_ok=True)
    with source.open("rb") as file, output_to(path, how) as output:
        for what, length, start in steps:
            part, seen = given_bytes[start : start + length], hashlib.sha256()
            take_back = output.mark() if what == "taken back" else None
            if what == "copy" or (take_back and start % 2):
                output.copy(file, start, len(part), seen.update)
                assert seen.digest() == hashlib.sha256(part).digest()
            else:
                output.write(part)
            if take_back:
                take_back()
            else:
                expected += part
            assert output.position == len(expected)
        digest = output.sha256()
    assert path.read_bytes() == expected
    assert digest == hashlib.sha256(expected).hexdigest() == sha256_of(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_of_a_whole_block_stays_in_the_cache(tmp_path: Path, source: Path) -> None:
    path = tmp_path / "archive"
    with output_to(path) as output:
        output.write(source.read_bytes())
        output.write(b"the end")
        output.settle()
    with opened(path, os.O_RDONLY) as file:
        if file.direct is None:
            pytest.skip("this file system has no direct access")
    fincore = ["fincore", "--bytes", "--noheadings", "--output", "RES", str(path)]
    assert int(subprocess.check_output(fincore)) <= mmap.PAGESIZE


def test_what_cannot_be_written_directly_goes_through_the_cache(tmp_path: Path) -> None:
    path, data = tmp_path / "archive", random.Random(6).randbytes(3 * BLOCK + 7)  # noqa: S311
    path.touch()
    with path.open("r+b") as plain, path.open("rb") as direct:  # which refuses to be written to
        file = DirectFile(plain.fileno(), direct.fileno())
        with ThreadPoolExecutor(1) as hasher, ThreadPoolExecutor(1) as writer:
            output = FileOutput(file, hasher, writer)
            output.write(data)
            output.settle()
        file.sync()
    assert path.read_bytes() == data


def test_a_source_that_is_cut_short_is_not_a_failure_of_the_output(
    tmp_path: Path, source: Path
) -> None:
    with source.open("rb") as file, output_to(tmp_path / "archive") as output:
        with pytest.raises(UnreadableError):
            output.copy(file, 4 * BLOCK, 2 * BLOCK, lambda _: None)
        output.settle()


def test_a_full_file_system_is_an_error_of_a_later_write(tmp_path: Path) -> None:
    def fill(output: FileOutput) -> None:
        for _ in range(40):
            output.write(bytes(BLOCK))

    with (
        mounted(tmp_path / "small", *tmpfs("3m")) as small,
        output_to(small / "archive") as output,
        pytest.raises(OSError, match="space") as raised,
    ):
        fill(output)
    assert raised.value.errno == errno.ENOSPC


@pytest.fixture
def xfs(tmp_path: Path) -> Iterator[Path]:
    """Give a file system whose files can share blocks, as XFS and Btrfs can."""
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(320 * 1024 * 1024)
    program = shutil.which("mkfs.xfs", path=f"{os.environ['PATH']}:/usr/sbin")
    if not program or subprocess.run([program, "-q", image], check=False).returncode:
        pytest.skip("mkfs.xfs is not installed, or makes no file system so small")
    with mounted(tmp_path / "xfs", "-o", "loop", str(image)) as place:
        yield place


def used(place: Path) -> int:
    os.sync()
    status = os.statvfs(place)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


@pytest.mark.parametrize(("before", "copies"), [(b"", 0), (b"x" * 8192, 0), (b"x", 1)])
def test_blocks_are_shared_where_the_file_system_can(
    xfs: Path, source: Path, before: bytes, copies: int
) -> None:
    data = source.read_bytes() * 8
    (xfs / "source").write_bytes(data)
    at_first = used(xfs)
    with (xfs / "source").open("rb") as file, output_to(xfs / "archive") as output:
        output.write(before)
        output.copy(file, 0, len(data), lambda _: None)
        digest = output.sha256()
    assert (xfs / "archive").read_bytes() == before + data
    assert digest == hashlib.sha256(before + data).hexdigest()
    assert round((used(xfs) - at_first) / len(data)) == copies
