"""The journal's native protocol, read by a socket that stands where the journal's does."""

import array
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from backupd.journal import Journal, encode, is_connected
from backupd.logs import Redactor, configure_logs


def decode(entry: bytes) -> dict[str, str]:
    """Read an entry as the protocol's page says, without the code under test."""
    fields: dict[str, str] = {}
    while entry:
        line, _, rest = entry.partition(b"\n")
        name, equals, text = line.partition(b"=")
        if not equals:
            (size,) = struct.unpack("<Q", rest[:8])
            text, rest = rest[8 : 8 + size], rest[8 + size + 1 :]
        fields[name.decode()] = text.decode()
        entry = rest
    return fields


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.settimeout(10)
        yield listener


@pytest.fixture
def _plain_logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def receive(listener: socket.socket) -> dict[str, str]:
    """Take one entry, as a datagram or as a file that came with one."""
    entry, ancillary, _, _ = listener.recvmsg(100_000, socket.CMSG_SPACE(4))
    for _, _, data in ancillary:
        (descriptor,) = array.array("i", data)
        with os.fdopen(descriptor, "rb") as file:
            file.seek(0)
            return decode(file.read())
    return decode(entry)


texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(st.from_regex(r"\A[A-Z][A-Z0-9_]{0,30}\Z"), texts))
def test_every_text_survives_the_protocol(fields: dict[str, str]) -> None:
    assert decode(encode(fields)) == fields


def test_what_is_no_name_of_a_field_becomes_one() -> None:
    assert decode(encode({"backupd_a-b.c": "x"})) == {"BACKUPD_A_B_C": "x"}


def test_an_entry_larger_than_a_datagram_arrives_whole(
    listening: socket.socket, tmp_path: Path
) -> None:
    message = "a long line\n" * 500_000
    Journal(tmp_path / "socket").send({"MESSAGE": message})
    assert receive(listening) == {"MESSAGE": message}


@pytest.mark.usefixtures("_plain_logs")
def test_a_log_line_is_an_entry_with_a_field_for_each_fact(
    listening: socket.socket, tmp_path: Path
) -> None:
    configure_logs("journal", "INFO", Redactor(["hunter22"]), {}, tmp_path / "socket")
    structlog.contextvars.bind_contextvars(run_id="r1", operation="backup", set="shop")
    log = structlog.get_logger("backupd")
    log.debug("not worth a line")
    log.warning("not delivered: hunter22 refused", destination="offsite", backup="shop.zip")
    assert receive(listening) == {
        "MESSAGE": "not delivered: [hidden] refused (destination=offsite backup=shop.zip)",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "backupd",
        "BACKUPD_RUN_ID": "r1",
        "BACKUPD_OPERATION": "backup",
        "BACKUPD_SET": "shop",
        "BACKUPD_DESTINATION": "offsite",
        "BACKUPD_BACKUP": "shop.zip",
    }


@pytest.mark.usefixtures("_plain_logs")
def test_a_bug_brings_its_trace_without_secrets(listening: socket.socket, tmp_path: Path) -> None:
    configure_logs("journal", "INFO", Redactor(["hunter22"]), {}, tmp_path / "socket")
    error = RuntimeError("cannot log in with hunter22")
    structlog.get_logger("backupd").critical("a bug in backupd", exc_info=error)
    entry = receive(listening)
    assert entry["PRIORITY"] == "2"
    assert "RuntimeError: cannot log in with [hidden]" in entry["MESSAGE"]
    assert "hunter22" not in str(entry)


@pytest.mark.usefixtures("_plain_logs")
def test_without_a_journal_lines_carry_their_priority(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("journal", "INFO", Redactor(()), {}, tmp_path / "nothing")
    structlog.get_logger("backupd").error("no\nluck", destination="one")
    assert capsys.readouterr().err == "<3>no\n<3>luck (destination=one)\n"


def test_only_a_stream_that_leads_to_the_journal_counts(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        status = os.fstat(stream.fileno())
        is_it = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert is_connected(is_it, stream.fileno())
        assert not is_connected({"JOURNAL_STREAM": "1:2"}, stream.fileno())
        assert not is_connected({}, stream.fileno())
