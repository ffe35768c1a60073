"""How a file is cut into parts, and what counts as proof that a server holds it."""

import hashlib
import io
from base64 import b64encode
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupd.destinations.s3_content import MOST_PARTS, Content, Part, PartBody, part_size
from backupd.errors import Interrupted

MEBIBYTE = 1024 * 1024


@given(size=st.integers(0, 5 * 1024**4), smallest=st.sampled_from([5 * MEBIBYTE, 8 * MEBIBYTE]))
def test_no_file_up_to_5_tib_has_more_parts_than_allowed_or_smaller_ones(
    size: int, smallest: int
) -> None:
    step = part_size(size, smallest)
    assert step >= smallest
    assert -(-size // step) <= MOST_PARTS
    assert step <= 5 * 1024**3


def test_parts_follow_each_other_without_gap_and_with_their_digests(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "file").write_bytes(data)
    content = Content(tmp_path / "file", 1_000_000)
    assert [(part.number, part.start, part.length) for part in content.parts] == [
        (1, 0, 1_048_576),
        (2, 1_048_576, 1_048_576),
        (3, 2_097_152, 462_848),
    ]
    for part in content.parts:
        piece = data[part.start : part.start + part.length]
        assert content.sha256_of(part) == hashlib.sha256(piece).digest()
        assert content.md5_of(part) == hashlib.md5(piece).digest()  # noqa: S324
    assert content.sha256() == hashlib.sha256(data).hexdigest()


def test_an_empty_file_is_one_empty_part(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    content = Content(tmp_path / "empty", 5 * MEBIBYTE)
    assert [(part.number, part.length) for part in content.parts] == [(1, 0)]
    assert content.etag() == hashlib.md5(b"").hexdigest()  # noqa: S324


def test_checksums_of_aws_are_accepted_as_aws_writes_them(tmp_path: Path) -> None:
    """The example is the composite of two parts, as in "Checking object integrity in S3"."""
    (tmp_path / "file").write_bytes(b"a" * MEBIBYTE + b"b")
    content = Content(tmp_path / "file", MEBIBYTE)
    digests = [hashlib.sha256(piece).digest() for piece in (b"a" * MEBIBYTE, b"b")]
    composite = b64encode(hashlib.sha256(b"".join(digests)).digest()).decode() + "-2"
    assert content.confirmed_by({"ChecksumSHA256": composite})
    assert not content.confirmed_by({"ChecksumSHA256": composite.replace("-2", "-3")})
    md5s = [hashlib.md5(piece).digest() for piece in (b"a" * MEBIBYTE, b"b")]  # noqa: S324
    etag = hashlib.md5(b"".join(md5s)).hexdigest()  # noqa: S324
    assert content.confirmed_by({"ETag": f'"{etag}-2"'})
    assert not content.confirmed_by({"ETag": f'"{etag}-3"'})


def test_a_checksum_outweighs_an_etag_and_nothing_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a")
    content = Content(tmp_path / "file", MEBIBYTE)
    right = {"ETag": f'"{content.etag()}"'}
    assert content.confirmed_by(right)
    assert not content.confirmed_by({**right, "ChecksumSHA256": "wrong"})
    assert not content.confirmed_by({})
    assert not content.confirmed_by({"ETag": '"not-an-md5"'})


def test_with_a_kms_key_an_etag_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a")
    content = Content(tmp_path / "file", MEBIBYTE)
    (part,) = content.parts
    answer = {"ETag": f'"{"0" * 32}"'}
    assert content.part_confirmed_by(part, answer) is False
    assert content.part_confirmed_by(part, {**answer, "ServerSideEncryption": "aws:kms"}) is None
    assert content.part_confirmed_by(part, {"ETag": f'"{content.etag()}"', "Size": 2}) is False


def test_a_body_tells_of_bytes_only_while_they_are_sent() -> None:
    moved: list[int] = []
    body = PartBody(io.BytesIO(b"0123456789"), PART, moved.append)
    assert body.read() == b"23456"
    body.seek(0)
    assert moved == []
    body.begin_sending()
    assert (body.read(3), body.tell(), body.read(100)) == (b"23456", 5, b"")
    assert moved == [5]
    assert (body.seek(0, 2), body.seek(1)) == (5, 1)
    assert (body.read(), moved) == (b"3456", [5])


def test_an_interruption_leaves_a_body_as_the_cause_of_a_cancellation() -> None:
    def interrupt(_: int) -> None:
        raise Interrupted("Ctrl-C")

    body = PartBody(io.BytesIO(b"0123456789"), PART, interrupt)
    body.begin_sending()
    with pytest.raises(CancelledError) as raised:
        body.read()
    assert isinstance(raised.value.__cause__, Interrupted)


PART = Part(number=1, start=2, length=5)
