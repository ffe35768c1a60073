"""An archive whose names are hidden: the whole of it is one encrypted member of an outer ZIP.

The outer ZIP holds `contents.zip`, stored and encrypted (AE-2), and a `RESTORE.txt` that anybody
can read and that tells nothing but how to open it. One key is derived for everything, one
authentication code covers everything, and since the cipher can start anywhere, so can a reader.
"""

from collections.abc import Callable
from typing import BinaryIO

from backupd.archive.cipher import Encrypter
from backupd.archive.encoding import Encoder
from backupd.archive.output import Buffer, Output, UnreadableError
from backupd.archive.reading import own_reading
from backupd.archive.records import (
    OVERHEAD_BYTES,
    SALT_BYTES,
    STORED,
    aes_extra,
    central_record,
    descriptor,
    end_of_directory,
    heading,
    placed,
    streamed_header,
)
from backupd.archive.restore_text import RESTORE_PATH, SEALED_PATH, sealed_restore_text
from backupd.model import ArchiveHeader

_BLOCK = 1 << 20


class SealedOutput:
    """Takes the inner archive; `close` makes the outer one whole."""

    def __init__(
        self,
        output: Output,
        header: ArchiveHeader,
        encoder: Encoder,
        new_salt: Callable[[int], bytes],
    ) -> None:
        self.position = 0
        self._output = output
        self._header = header
        self._plain = Encoder(level=encoder.level, zone=encoder.zone)
        self._encrypter = Encrypter(encoder.password, new_salt(SALT_BYTES))
        sealed = own_reading(SEALED_PATH, header.created_at)
        self._head = heading(
            SEALED_PATH,
            0o100600,
            sealed.mtime_ns,
            (sealed.uid, sealed.gid),
            encoder.zone,
            method=STORED,
            aes=aes_extra(STORED),
        )
        self._output.write(streamed_header(self._head))
        self._output.write(self._encrypter.head)

    def write(self, data: Buffer) -> None:
        """Encrypt and write all of it."""
        self._output.write(self._encrypter.update(data))
        self.position += len(data)

    def copy(
        self, source: BinaryIO, start: int, length: int, check: Callable[[Buffer], None]
    ) -> None:
        """Encrypt and write `length` bytes that stand in another file from `start`."""
        while length:
            try:
                source.seek(start)
                data = source.read(min(length, _BLOCK))
            except OSError as error:
                raise UnreadableError from error
            if not data:
                raise UnreadableError
            check(data)
            self.write(data)
            start, length = start + len(data), length - len(data)

    def mark(self) -> Callable[[], None]:
        """Return a function that takes back all that is written from here on."""
        position = self.position
        take_back_output, take_back_cipher = self._output.mark(), self._encrypter.mark()

        def take_back() -> None:
            take_back_output()
            take_back_cipher()
            self.position = position

        return take_back

    def close(self) -> None:
        """End the inner archive's member, add `RESTORE.txt` and the outer directory."""
        output, sizes = self._output, (0, self.position + OVERHEAD_BYTES, self.position)
        output.write(self._encrypter.code())
        output.write(descriptor(*sizes))
        restore = own_reading(RESTORE_PATH, self._header.created_at)
        text = sealed_restore_text(self._header).encode()
        local, body, central = self._plain.record(restore, restore.known, text)
        directory = central_record(self._head, *sizes, streamed=True)
        directory += placed(central, output.position)
        output.write(local + body)
        start = output.position
        output.write(directory + end_of_directory(2, start, len(directory)))
