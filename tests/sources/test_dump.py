import gzip
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupd.errors import DumpError
from backupd.sources.dump import Compression, DumpShape, believable, compressed, dump_name

SHAPE = DumpShape(extension="sql", minimum=20, begins=b"-- dump", ends=b"\n-- complete\n")
WHOLE = b"-- dump\nCREATE TABLE;\n-- complete\n"


@given(st.lists(st.integers(0, len(WHOLE)), max_size=9))
def test_a_whole_dump_passes_unchanged_however_it_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(WHOLE)]
    chunks = [WHOLE[start:end] for start, end in pairwise(edges)]
    assert b"".join(believable(chunks, SHAPE, "shop")) == WHOLE


@pytest.mark.parametrize(
    ("dump", "mistake"),
    [
        (b"", "is empty"),
        (b"-- dump", "is only 7 bytes long"),
        (b"Usage: dump [OPTIONS] DATABASE", "does not begin as its format does"),
        (WHOLE[:-5], "lacks its end"),
        (b"-- dump\n-- complete\n" + b"x" * 2000, "lacks its end"),
    ],
)
def test_a_dump_that_cannot_be_whole_fails_at_its_end(dump: bytes, mistake: str) -> None:
    with pytest.raises(DumpError, match=f"The dump of the database 'shop' {mistake}"):
        list(believable([dump], SHAPE, "shop"))


def test_a_compressed_dump_is_one_gzip_file() -> None:
    packed = b"".join(compressed([WHOLE, b"", WHOLE], Compression.GZIP))
    assert gzip.decompress(packed) == WHOLE + WHOLE


def test_the_failure_of_a_dump_passes_through_its_compression() -> None:
    def failing() -> Iterator[bytes]:
        yield WHOLE
        raise DumpError("gone")

    with pytest.raises(DumpError, match="gone"):
        list(compressed(failing(), Compression.GZIP))


@given(st.text(), st.text())
def test_dumps_of_two_databases_never_have_one_name(one: str, other: str) -> None:
    assert (dump_name("main", one) == dump_name("main", other)) == (one == other)


@given(st.text())
def test_a_dump_s_name_is_one_safe_file_name(database: str) -> None:
    name = dump_name("main", database)
    assert not set(name) & set('/\\:*?"<>|\0\n ')
    assert name.count(".") == 1
