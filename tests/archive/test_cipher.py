import io
import os

import pytest
import pyzipper
from Cryptodome.Cipher import AES
from Cryptodome.Util import Counter
from hypothesis import given
from hypothesis import strategies as st

from backupd.archive import cipher
from backupd.archive.records import CODE_BYTES, HEAD_BYTES
from backupd.errors import ArchiveError, WrongPasswordError

_KEYS = cipher.derive_keys("secret", b"0123456789abcdef")


def _reference(data: bytes, first_counter: int = 1) -> bytes:
    counter = Counter.new(128, little_endian=True, initial_value=first_counter)
    return AES.new(_KEYS.encryption, AES.MODE_CTR, counter=counter).encrypt(data)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 262_127, 262_128, 262_129, 1_000_001])
def test_the_key_stream_is_that_of_another_library(length: int) -> None:
    data = os.urandom(length)
    assert cipher.KeyStream(_KEYS).apply(data, 0) == _reference(data)


def test_the_key_stream_counts_beyond_32_bits() -> None:
    data = os.urandom(100_000)
    start = (1 << 36) - 5 * 16
    found = cipher.KeyStream(_KEYS).apply(data, start)
    assert found == _reference(data, start // 16 + 1)


@given(st.binary(max_size=200), st.lists(st.integers(0, 60), max_size=6), st.integers(0, 300_000))
def test_pieces_of_any_length_from_any_position_give_the_same_bytes(
    data: bytes, cuts: list[int], position: int
) -> None:
    stream = cipher.KeyStream(_KEYS)
    pieces, at = [], 0
    for cut in [*cuts, len(data)]:
        pieces.append(stream.apply(data[at : at + cut], position + at))
        at += len(pieces[-1])
    assert b"".join(pieces) == stream.apply(data, position)
    assert stream.apply(b"".join(pieces), position) == data


def test_what_pyzipper_encrypts_is_decrypted() -> None:
    buffer = io.BytesIO()
    with pyzipper.AESZipFile(
        buffer, "w", compression=pyzipper.ZIP_STORED, encryption=pyzipper.WZ_AES
    ) as archive:
        archive.setpassword("pässword".encode())
        archive.writestr("a", b"content" * 1000)
        info = archive.getinfo("a")
        start = 30 + len("a") + len(info.FileHeader()) - 31
    stored = buffer.getvalue()[start : start + info.compress_size]
    decrypter = cipher.Decrypter("pässword", stored[:HEAD_BYTES])
    plain = decrypter.update(stored[HEAD_BYTES:-CODE_BYTES])
    decrypter.verify(stored[-CODE_BYTES:])
    assert plain == b"content" * 1000


def test_encrypted_pieces_are_decrypted_in_other_pieces() -> None:
    data = os.urandom(50_000)
    encrypter = cipher.Encrypter("secret")
    encrypted = encrypter.update(data[:777]) + encrypter.update(data[777:])
    decrypter = cipher.Decrypter("secret", encrypter.head)
    assert decrypter.update(encrypted[:13]) + decrypter.update(encrypted[13:]) == data
    decrypter.verify(encrypter.code())


def test_a_wrong_password_is_told_from_damage() -> None:
    encrypter = cipher.Encrypter("secret", salt=b"s" * 16)
    encrypted = encrypter.update(b"data")
    with pytest.raises(WrongPasswordError):
        cipher.Decrypter("Secret", encrypter.head)
    with pytest.raises(ArchiveError, match="cut short"):
        cipher.Decrypter("secret", encrypter.head[:-1])
    decrypter = cipher.Decrypter("secret", encrypter.head)
    decrypter.update(encrypted[:-1] + b"\0")
    with pytest.raises(ArchiveError, match="damaged"):
        decrypter.verify(encrypter.code())


def test_keys_are_not_shown() -> None:
    assert repr(_KEYS) == "Keys()"
