"""Deflating: zlib reads what was written, and the same content always gives the same bytes."""

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from backupd.archive.deflate import LAST_BLOCK, compress, compress_chunk, store_chunk

LEVELS = ("fast", "balanced", "small")
HASHES = 32_768
"""Places in the table in which ISA-L notes, by a hash of four bytes, where they stood."""

contents = st.builds(
    lambda part, times, rest: part * times + rest,
    st.binary(max_size=600),
    st.integers(0, 40),
    st.binary(max_size=5),
)


@given(content=contents, level=st.sampled_from(LEVELS))
def test_a_member_comes_back(content: bytes, level: str) -> None:
    assert zlib.decompress(compress(content, level), -15) == content


@given(chunks=st.lists(contents, max_size=4), level=st.sampled_from(LEVELS))
def test_chunks_one_behind_the_other_come_back(chunks: list[bytes], level: str) -> None:
    pieces = [compress_chunk(chunk, level) + store_chunk(chunk) for chunk in chunks]
    stream = b"".join(part for piece in pieces for part in piece) + LAST_BLOCK
    assert zlib.decompress(stream, -15) == b"".join(chunk * 2 for chunk in chunks)


def deflated_with_every_hash() -> list[bytes]:
    """Deflate as many contents as there are hashes of the first four bytes.

    Of four bytes' CRC-32C, the low 15 bits take each value once while 15 of theirs do.
    """
    chance = random.Random(0)  # noqa: S311  (the same every time)
    middle = bytes(chance.choices(range(64), k=2_100))
    starts = (number.to_bytes(4, "little") + b"in a row" for number in range(HASHES))
    return [compress(start + middle + start, "fast") for start in starts]


@pytest.mark.parametrize("streams_before", [1, 2])
def test_the_same_content_gives_the_same_bytes_wherever_the_work_is_done(
    streams_before: int,
) -> None:
    """ISA-L hashes a register in which its stream's address is left: one start each hits upon it.

    The streams that are kept make the next ones stand elsewhere.
    """
    usual = deflated_with_every_hash()
    kept = [isal_zlib.compressobj(2, isal_zlib.DEFLATED, -15) for _ in range(streams_before)]
    elsewhere = deflated_with_every_hash()
    del kept
    assert [place for place in range(HASHES) if usual[place] != elsewhere[place]] == []
