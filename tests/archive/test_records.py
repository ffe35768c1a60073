import io
import zipfile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupd.archive.central import parse_central, record_places, seek_directory
from backupd.archive.records import (
    DEFLATED,
    central_record,
    end_of_directory,
    heading,
    placed,
)

UTC = ZoneInfo("UTC")
SIZES = st.integers(0, 2**40) | st.sampled_from([2**32 - 2, 2**32 - 1, 2**32, 2**32 + 1])


def _record(path: str, compressed: int, size: int) -> bytes:
    head = heading(path, 0o100644, 1_700_000_000_123_456_700, (1, 2), UTC, method=DEFLATED)
    return central_record(head, 7, compressed, size)


@given(st.lists(st.tuples(SIZES, SIZES, SIZES, SIZES), min_size=1, max_size=5))
def test_a_directory_is_read_back_whatever_the_sizes_and_offsets(
    members: list[tuple[int, int, int, int]],
) -> None:
    """Each is placed twice, as when it is carried over from archive to archive."""
    records = [
        placed(placed(_record(f"m{number}", compressed, size), before), offset)
        for number, (compressed, size, before, offset) in enumerate(members)
    ]
    directory = b"".join(records)
    entries = list(parse_central(io.BytesIO(directory + end_of_directory(len(records), 0, 0))))
    found = [(entry.compressed, entry.size, entry.offset) for entry in entries]
    assert found == [(compressed, size, offset) for compressed, size, _, offset in members]
    assert [offset for _, offset in record_places(directory)] == [each[3] for each in members]
    assert [entry.record for entry in entries] == records


@given(SIZES, SIZES, SIZES)
def test_placing_it_near_again_gives_the_first_record(
    compressed: int, size: int, offset: int
) -> None:
    record = _record("m", compressed, size)
    again = placed(placed(record, offset), 0)
    assert again[:6] + again[8:] == record[:6] + record[8:]  # but for the version that it needs


def test_python_reads_a_directory_beyond_4_gib() -> None:
    """`zipfile` takes the start of what it is given for the start of the archive."""
    directory = placed(_record("far", 10, 2**33), 2**32 + 5)
    whole = directory + end_of_directory(1, 0, len(directory))
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        (info,) = opened.infolist()
    assert (info.header_offset, info.file_size, info.compress_size) == (2**32 + 5, 2**33, 10)


def test_more_members_than_16_bits_hold_are_counted() -> None:
    ending = end_of_directory(70_000, 2**33, 2**20)
    file = io.BytesIO(ending)
    with pytest.raises(ValueError, match="another one that is not there"):
        seek_directory(file)
    assert b"PK\6\6" in ending


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\5\6" + bytes(10), bytes(100_000)])
def test_what_is_no_zip_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="does not end as a ZIP does"):
        seek_directory(io.BytesIO(content))


def test_names_that_are_not_utf8_are_written_as_their_bytes() -> None:
    head = heading("latin-\udce9", 0o100644, 0, (0, 0), UTC, method=0)
    assert head[:2] == (b"latin-\xe9", 0)
    assert heading("é", 0o100644, 0, (0, 0), UTC, method=0)[1] == 0x800


@given(st.integers(-(2**62), 2**62))
def test_no_time_is_too_early_or_too_late(mtime_ns: int) -> None:
    _, _, _, time, date, *_ = heading("m", 0o100644, mtime_ns, (2**31, 2**32 - 1), UTC, method=0)
    assert 0 <= time < 2**16
    assert 0x21 <= date < 2**16
