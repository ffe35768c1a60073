import os
import subprocess
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from backupd.errors import DumpError
from backupd.sources.command import (
    GIVEN_FILE,
    Command,
    Program,
    find_program,
    output_of,
    stream_of,
    telling_line,
)

StandIn = Callable[[str, str], Path]


def command(program: Path, *arguments: str, **changes: object) -> Command:
    values = {"purpose": "dumping 'shop'", "time_limit": 60.0, "stall_limit": 30.0, **changes}
    return Command(arguments=(str(program), *arguments), **values)  # type: ignore[arg-type]


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def feed_much(program: Path) -> None:
    given = command(program)
    with Program(given, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as running:
        for _ in range(1000):
            running.write(b"x" * 65536)


def feed_half(program: Path) -> None:
    given = command(program)
    with Program(given, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as running:
        running.write(b"half a dump")
        raise ValueError("the dump is damaged")


def test_a_failure_after_megabytes_is_part_of_the_stream(stand_in: StandIn) -> None:
    program = stand_in("dump", "sys.stdout.write('x' * 3_000_000); sys.exit('fatal: gone')")
    received: list[bytes] = []
    with pytest.raises(DumpError) as caught:
        received.extend(stream_of(command(program)))
    assert received
    assert caught.value.exit_status == 1
    assert caught.value.stderr == "fatal: gone\n"
    assert str(caught.value) == "dump ended with status 1 while dumping 'shop': fatal: gone"


def test_a_program_killed_from_outside_is_a_failure(stand_in: StandIn) -> None:
    program = stand_in("dump", "print('half', flush=True); os.kill(os.getpid(), 9)")
    with pytest.raises(DumpError, match="was killed by SIGKILL"):
        list(stream_of(command(program)))


def test_a_program_that_gives_nothing_is_stopped(stand_in: StandIn) -> None:
    program = stand_in("dump", "print('some', flush=True); time.sleep(600)")
    with pytest.raises(DumpError, match=r"stood still for 0\.2 seconds"):
        list(stream_of(command(program, stall_limit=0.2)))


def test_a_program_that_gives_for_too_long_is_stopped(stand_in: StandIn) -> None:
    program = stand_in("dump", "while True: os.write(1, b'x'); time.sleep(0.01)")
    with pytest.raises(DumpError, match=r"was stopped after 0\.3 seconds"):
        list(stream_of(command(program, time_limit=0.3)))


def test_a_program_that_closes_its_output_but_does_not_end_is_stopped(stand_in: StandIn) -> None:
    program = stand_in("dump", "os.close(1); time.sleep(600)")
    with pytest.raises(DumpError, match="stood still"):
        list(stream_of(command(program, stall_limit=0.2)))


def test_who_stops_reading_leaves_no_program_behind(stand_in: StandIn) -> None:
    program = stand_in("dump", "while True: os.write(1, b'%d\\n' % os.getpid() * 1000)")
    stream = stream_of(command(program))
    first = next(islice(stream, 1))
    number = int(first.split(b"\n")[0])
    stream.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_children_of_a_stopped_program_are_stopped_too(stand_in: StandIn) -> None:
    body = "child = os.fork()\nif child: print(child, flush=True)\ntime.sleep(600)"
    program = stand_in("dump", body)
    stream = stream_of(command(program))
    child = int(next(iter(stream)))
    stream.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 20
    while is_running(child):  # one that was killed needs a moment of a processor to die
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_much_on_standard_error_holds_nothing_up(stand_in: StandIn) -> None:
    body = "for n in range(20_000): print(n, 'x' * 100, file=sys.stderr)\nprint('done')"
    assert output_of(command(stand_in("dump", body))) == "done\n"


def test_of_standard_error_the_last_4_kib_are_kept(stand_in: StandIn) -> None:
    body = "sys.stderr.write('a' * 9_000 + 'error: the end\\n'); sys.exit(2)"
    with pytest.raises(DumpError) as caught:
        list(stream_of(command(stand_in("dump", body))))
    assert len(caught.value.stderr) == 4096
    assert caught.value.stderr.endswith("error: the end\n")


def test_a_password_that_a_program_prints_is_not_shown(stand_in: StandIn) -> None:
    body = "sys.exit('error: login as u with s3cr3t word failed')"
    with pytest.raises(DumpError) as caught:
        list(stream_of(command(stand_in("dump", body), hidden=("s3cr3t word", "", "it"))))
    assert "s3cr3t" not in caught.value.stderr + str(caught.value) + repr(caught.value)
    assert "*** failed" in str(caught.value)


def test_a_secret_is_read_from_a_file_that_only_its_owner_may_read(stand_in: StandIn) -> None:
    body = (
        "path = sys.argv[1]\nassert path == os.environ['FILE']\n"
        "print(oct(os.stat(path).st_mode & 0o7777), open(path).read(), open(path).read())"
    )
    given = command(
        stand_in("dump", body), GIVEN_FILE, environment={"FILE": GIVEN_FILE}, secret="pass wörd"
    )
    assert output_of(given) == "0o600 pass wörd pass wörd\n"


def test_a_program_sees_nothing_of_our_environment(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKUP_ARCHIVE_PASSWORD", "s3cr3t")
    program = stand_in("dump", "print(sorted(os.environ))")
    assert output_of(command(program)) == "['LC_ALL', 'PATH']\n"


def test_a_program_that_is_killed_is_not_told_that_its_input_ended(
    stand_in: StandIn, tmp_path: Path
) -> None:
    """One that loads a dump in one transaction would commit."""
    saw_end = tmp_path / "saw-end"
    program = stand_in("load", f"sys.stdin.read(); open({str(saw_end)!r}, 'w').close()")
    with pytest.raises(ValueError, match="the dump is damaged"):
        feed_half(program)
    assert not saw_end.exists()


def test_a_program_that_stops_reading_says_why(stand_in: StandIn) -> None:
    program = stand_in("load", "sys.stdin.read(10); sys.exit('error: relation exists')")
    with pytest.raises(DumpError, match="relation exists"):
        feed_much(program)


def test_a_program_that_stops_reading_without_a_word_has_failed(stand_in: StandIn) -> None:
    program = stand_in("load", "sys.stdin.read(10)")
    with pytest.raises(DumpError, match="stopped reading before the end"):
        feed_much(program)


def test_a_program_that_may_not_be_executed_is_named(tmp_path: Path) -> None:
    program = tmp_path / "dump"
    program.write_text("no program")
    with pytest.raises(DumpError, match="dump cannot be started: Permission denied"):
        list(stream_of(command(program)))


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(DumpError) as caught:
        find_program(("no-such-dump", "nor-this"), package="some-client")
    assert str(caught.value) == "The program no-such-dump or nor-this is not installed."
    assert "apt install some-client" in caught.value.hint


def test_a_companion_is_looked_for_beside_the_named_program_first(stand_in: StandIn) -> None:
    companion = stand_in("ls", "")
    found = find_program(("ls",), beside=str(companion.with_name("dump")), package="none")
    assert found == str(companion)


def test_the_line_that_names_the_trouble_is_chosen() -> None:
    words = "connecting\npg_dump: error: query failed: ERROR: denied\npg_dump: detail: Query was: X"
    assert telling_line(words) == "pg_dump: error: query failed: ERROR: denied"
    assert telling_line("nothing\nwas well\n\n") == "was well"
    assert not telling_line("\n")
