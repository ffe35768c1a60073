"""What goes wrong while an archive is built ends in a clear error, and leaves no process behind."""

import os
import resource
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from backupd.archive.making import Making
from backupd.archive.workers import Request, Workers, default_workers
from backupd.errors import ArchiveError
from backupd.model import Member, MemberKind
from fakes.archiving import BuildArchive
from fakes.mounts import mounted, tmpfs
from fakes.processes import children

SETUP = ("build", "fast", "UTC", "")


def _stream(pieces: Iterator[bytes]) -> Member:
    return Member(
        path="db-dumps/x", kind=MemberKind.DUMP, mtime_ns=0, mode=0o600, stream=lambda: pieces
    )


@pytest.mark.parametrize("victims", [1, 2])
def test_a_killed_worker_is_an_error_and_not_a_hang(build: BuildArchive, victims: int) -> None:
    before = children()

    def pieces() -> Iterator[bytes]:
        yield bytes(3_000_000)
        for victim in sorted(children() - before)[:victims]:
            os.kill(victim, signal.SIGKILL)
        while True:  # until somebody notices
            yield bytes(1_000_000)

    with pytest.raises(ArchiveError, match="was killed by signal 9"):
        build([_stream(pieces())])
    assert children() == before


def test_an_interruption_leaves_no_worker_behind(build: BuildArchive) -> None:
    before = children()

    def pieces() -> Iterator[bytes]:
        yield bytes(3_000_000)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build([_stream(pieces())])
    assert children() == before


def test_workers_survive_the_signals_that_are_meant_for_the_parent(build: BuildArchive) -> None:
    before = children()

    def pieces() -> Iterator[bytes]:
        for number in range(30):
            for worker in children() - before:
                os.kill(worker, signal.SIGTERM if number % 2 else signal.SIGINT)
            yield bytes(1_000_000)

    assert build([_stream(pieces())]).content_bytes == 30_000_000


def test_workers_end_when_the_parent_is_killed(tmp_path: Path) -> None:
    script = """
        import os, signal, sys
        from pathlib import Path
        from backupd.archive.workers import Request, Workers
        def tell(*_):
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
            print(children, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        request = Request(ask=lambda _: ("chunk", 0, True), take=tell)
        Workers(3, ("build", "fast", "UTC", "")).run([request])
    """
    parent = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )
    assert parent.returncode == -signal.SIGKILL
    workers = [int(number) for number in parent.stdout.split()]
    assert len(workers) == 3
    for worker in workers:
        try:
            watched = os.pidfd_open(worker)
        except ProcessLookupError:
            continue
        # The parent's pipe is closed, which every worker notices when it reads next.
        try:
            poll = select.poll()
            poll.register(watched, select.POLLIN)
            assert poll.poll(30_000)
        finally:
            os.close(watched)


def test_a_bug_in_a_worker_is_raised_as_one() -> None:
    request = Request(ask=lambda _: ("nonsense",), take=lambda *_: None)
    with (
        Workers(1, SETUP) as workers,
        pytest.raises(RuntimeError, match=r"(?s)ValueError.*nonsense"),
    ):
        workers.run([request])


def test_a_worker_that_does_not_know_its_setup_tells_nobody_what_is_in_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    request = Request(ask=lambda _: ("batch",), take=lambda *_: None)
    with (
        Workers(1, ("of tomorrow", "a secret password")) as workers,
        pytest.raises(ArchiveError, match="A worker process of the archive engine ended"),
    ):
        workers.run([request])
    assert "no such work" in (told := capfd.readouterr().err)
    assert "a secret password" not in told


def test_one_or_many_processors_will_do(build: BuildArchive) -> None:
    sizes = {build(making=Making(workers=count)).content_bytes for count in (1, 16)}
    assert len(sizes) == 1
    assert 1 <= default_workers() <= 16


def test_a_full_file_system_is_named_with_its_cause(build: BuildArchive) -> None:
    """A limit on the size of files stands in for it: both fail the write that is one too many."""
    before = children()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    try:
        with pytest.raises(ArchiveError, match=r"set-1\.zip cannot be written: File too large"):
            build()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert children() == before


def test_no_space_left_is_named_with_its_cause(tree: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    script = f"""
        from datetime import UTC, datetime
        from pathlib import Path
        from backupd.archive.writer import build_archive
        from backupd.errors import ArchiveError
        from backupd.model import ArchiveHeader, Scope
        from backupd.sources.files import FileTree
        header = ArchiveHeader(archive="a.zip", set_name="a", created_at=datetime.now(UTC),
                               timezone="UTC", scope=Scope.FULL, version="0")
        try:
            members = FileTree(root=Path({str(tree)!r})).members()
            build_archive(members, Path({str(small)!r}, "a.zip"), header, password=None,
                          on_progress=lambda _: None)
        except ArchiveError as error:
            print(error)
    """
    with mounted(small, *tmpfs("3m")):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout == "The archive a.zip cannot be written: No space left on device.\n"
