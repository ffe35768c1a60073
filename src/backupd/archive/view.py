"""An archive at a destination as something to seek in: a read costs the bytes that it asks for."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from backupd.errors import ArchiveError, DamagedError
from backupd.ports import Destination

_TAIL = 128 * 1024
_LONGEST_READ = 256 * 1024 * 1024


class View(Protocol):
    """Bytes that can be read from any position; several threads may read at once."""

    @property
    def size(self) -> int:
        """How many bytes there are."""
        ...

    @property
    def where(self) -> str:
        """The destination's name."""
        ...

    def stream(self, start: int, length: int) -> Iterator[bytes]:
        """Give exactly `length` bytes from `start`, in chunks of bounded size.

        Raises:
            DamagedError: there are fewer.
            DestinationError: as the destination says.
        """
        ...

    def whole(self, on_stored: Callable[[bytes], None]) -> Iterator[bytes]:
        """Give all bytes in one pass; `on_stored` gets those that the destination keeps, in order.

        Raises:
            DamagedError: there are fewer, or they are not what was encrypted.
            DestinationError: as the destination says.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectView:
    """One object at a destination."""

    destination: Destination
    key: str
    size: int

    @property
    def where(self) -> str:
        """The destination's name."""
        return self.destination.name

    def stream(self, start: int, length: int) -> Iterator[bytes]:
        """Give `length` bytes from `start`, by one request."""
        left = length
        if left > 0:
            for chunk in self.destination.read(self.key, start, length):
                left -= len(chunk)
                yield chunk
        if left != 0:
            raise DamagedError(
                f"{self.key} at '{self.destination.name}' is not of the length that was listed: "
                f"{length - left} bytes came where {length} were asked for."
            )

    def whole(self, on_stored: Callable[[bytes], None]) -> Iterator[bytes]:
        """Give all bytes, which are those that are kept."""
        for chunk in self.stream(0, self.size):
            on_stored(chunk)
            yield chunk


class SeekableView(io.RawIOBase):
    """A view as a file; the end, where a ZIP's directory stands, is fetched once."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view
        self._position = 0
        self._tail_start = max(0, view.size - _TAIL)
        self._tail = b"".join(view.stream(self._tail_start, view.size - self._tail_start))

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position; a negative one is an OSError, as for a file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._view.size}[whence]
        if base + offset < 0:
            raise OSError("negative position")
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Read up to `size` bytes, or all that follow.

        Raises:
            ArchiveError: so many bytes cannot be the directory of any archive of ours.
        """
        left = max(0, self._view.size - self._position)
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > _LONGEST_READ:
            raise ArchiveError(
                f"The archive's directory pretends to be {wanted} bytes long.",
                hint="The archive is damaged, or holds more than about a million members.",
            )
        start, self._position = self._position, self._position + wanted
        if start >= self._tail_start:
            return self._tail[start - self._tail_start :][:wanted]
        return b"".join(self._view.stream(start, wanted))
