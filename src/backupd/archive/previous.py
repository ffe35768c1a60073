"""The previous archive, opened for taking members over: its records, directory and manifest.

Memory does not grow with what is in it but by a few numbers for each member: the manifest's lines
wait in a file without a name.
"""

import io
import json
import struct
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import accumulate, pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from backupd.archive.central import Entry, data_start, parse_central, record_places, seek_directory
from backupd.archive.cipher import Decrypter, KeyStream, check_password
from backupd.archive.deflate import InflateError, crc32, inflater
from backupd.archive.lines import LINE_END
from backupd.archive.manifest import MANIFEST_PATH
from backupd.archive.records import CODE_BYTES, ENCRYPTED, FAR, HEAD_BYTES, placed
from backupd.archive.restore_text import RESTORE_PATH, SEALED_PATH
from backupd.errors import ArchiveError

_BLOCK = 1 << 20
_OWN = 2
"""`RESTORE.txt` and the manifest end every archive."""


class Previous:
    """An archive of ours; members have the numbers of their places in it.

    Raises:
        ArchiveError: it is none of ours, or damaged.
        WrongPasswordError: it was encrypted with another password.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, password: str, folder: Path) -> None:
        self._files = ExitStack()
        try:
            self._open(path, password, folder)
        except (ValueError, struct.error, KeyError, InflateError) as error:
            self._files.close()
            raise ArchiveError(f"The archive {path.name} is damaged: {error}.") from error
        except BaseException:
            self._files.close()
            raise

    def _open(self, path: Path, password: str, folder: Path) -> None:
        self.file = self._files.enter_context(_contents(path, password))
        """The archive's bytes; of one whose names are hidden, the inner archive's."""
        self._directory = self._files.enter_context(_contents(path, password, verify=False))
        lines = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (closed with the others)
        self._lines = self._files.enter_context(lines)
        manifest = self._read_directory()
        self.count = len(self._offsets) - 1 - _OWN
        """How many members it has, without what backupd itself adds."""
        for block in _manifest(self._directory, manifest, password):
            self._lines.write(block)
        self._lines.seek(0)
        self.head: dict[str, Any] = json.loads(self._lines.readline().rstrip(b"\n") + b"]}")
        """What the manifest says of the archive as a whole."""
        self._line_starts = array("Q", [self._lines.tell()])
        for line in self._lines:
            self._line_starts.append(self._line_starts[-1] + len(line))
        if len(self._line_starts) - 1 != self.count + 1:  # and a last line that ends it all
            raise ValueError("its manifest and its directory do not agree")
        if self.line(self.count) != b'], "directory_crc32": %d}' % self._directory_crc32:
            raise ValueError("its directory's checksum does not match")

    def _read_directory(self) -> Entry:
        """Note where records stand; return the manifest's, which is the last."""
        count, start, _ = seek_directory(self._directory)
        directory = self._directory.read()
        self._offsets, self._places = array("Q"), array("Q")
        for place, offset in record_places(directory):
            self._places.append(start + place)
            self._offsets.append(offset)
        if len(self._offsets) != count or count < _OWN:
            raise ValueError("its directory is not as backupd writes it")
        self._directory_crc32 = crc32(directory[: self._places[-_OWN] - start])
        last = self._places[-1]
        manifest = next(parse_central(io.BytesIO(directory[last - start :])))
        if manifest.name != MANIFEST_PATH.encode():
            raise ValueError("it has no manifest")
        self._places.append(last + len(manifest.record))
        self._offsets.append(start)
        if any(one >= other for one, other in pairwise(self._offsets)):
            raise ValueError("its members are not in the order of its directory")
        return manifest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()

    def lines(self) -> Iterator[bytes]:
        """Give every member's line of the manifest."""
        for number in range(self.count):
            yield self.line(number)

    def line(self, number: int) -> bytes:
        """Return a member's line of the manifest, without what ends it."""
        start, end = self._line_starts[number : number + 2]
        self._lines.seek(start)
        return self._lines.read(end - start).rstrip(LINE_END)

    def extent(self, first: int, last: int) -> tuple[int, int]:
        """Return where the records of members `first` to `last` begin, and their length."""
        start = self._offsets[first]
        return start, self._offsets[last + 1] - start

    def lengths(self, first: int, last: int) -> list[int]:
        """Return the lengths of these members' records."""
        return [end - start for start, end in pairwise(self._offsets[first : last + 2])]

    def records(self, first: int, last: int) -> tuple[bytes, Sequence[int], Sequence[int]]:
        """Return central records, where each begins, and its offset from the first one's.

        None of the records says that it stands beyond 4 GiB.
        """
        places = self._places[first : last + 2]
        self._directory.seek(places[0])
        records = self._directory.read(places[-1] - places[0])
        starts = [place - places[0] for place in places]
        offsets = self._offsets[first : last + 1]
        if offsets[-1] >= FAR:
            near = [placed(records[start:end], 0) for start, end in pairwise(starts)]
            records, starts = b"".join(near), [0, *accumulate(map(len, near))]
        return records, starts[:-1], [offset - offsets[0] for offset in offsets]


def _contents(path: Path, password: str, *, verify: bool = True) -> BinaryIO:
    """Open the archive, or the one inside if its names are hidden, which is verified as a whole."""
    file = path.open("rb", buffering=_BLOCK)
    try:
        if seek_directory(file).members != 2:  # noqa: PLR2004  (contents.zip and RESTORE.txt)
            return file
        sealed, restore = parse_central(file)
        if (sealed.name, restore.name) != (SEALED_PATH.encode(), RESTORE_PATH.encode()):
            return file
        start = data_start(file, sealed)
        file.seek(start)
        head = file.read(HEAD_BYTES)
        keys = check_password(password, head)
        if verify:
            for _ in _decrypted(file, start, sealed.compressed, password):
                pass
        raw = _SealedFile(file, start + HEAD_BYTES, sealed.size, KeyStream(keys))
        return io.BufferedReader(raw, _BLOCK)
    except BaseException:
        file.close()
        raise


class _SealedFile(io.RawIOBase):
    """The plain bytes of a stored and encrypted member, from any position."""

    def __init__(self, file: BinaryIO, start: int, size: int, stream: KeyStream) -> None:
        super().__init__()
        self._file, self._start, self._size, self._stream = file, start, size, stream
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  (any writable buffer)
        length = min(len(buffer), max(0, self._size - self._position))
        self._file.seek(self._start + self._position)
        data = self._stream.apply(self._file.read(length), self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _manifest(archive: BinaryIO, entry: Entry, password: str) -> Iterator[bytes]:
    """Give the manifest's bytes, checked by the archive's own means when the last was given."""
    start = data_start(archive, entry)
    inflate, crc = inflater(), 0
    if entry.flags & ENCRYPTED:
        stored = _decrypted(archive, start, entry.compressed, password)
    else:
        stored = _blocks(archive, start, entry.compressed)
    for block in stored:
        plain = inflate.decompress(block)
        crc = crc32(plain, crc)
        yield plain
    if not inflate.eof or (not entry.flags & ENCRYPTED and crc != entry.crc):
        raise ValueError("its manifest's checksum does not match")


def _blocks(file: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    file.seek(start)
    while length:
        block = file.read(min(length, _BLOCK))
        if not block:
            raise ValueError("it is cut short")
        length -= len(block)
        yield block


def _decrypted(file: BinaryIO, start: int, length: int, password: str) -> Iterator[bytes]:
    """Give an encrypted member's plain bytes; it is authenticated when the last was given."""
    file.seek(start)
    decrypter = Decrypter(password, file.read(HEAD_BYTES))
    for block in _blocks(file, start + HEAD_BYTES, length - HEAD_BYTES - CODE_BYTES):
        yield decrypter.update(block)
    decrypter.verify(file.read(CODE_BYTES))
