"""Bytes of a dump into the program that loads it."""

import subprocess
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from secrets import token_hex

from backupd.errors import DumpError, LoadError
from backupd.sources.command import Command, Program


def feed(command: Command, file_name: str, chunks: Iterable[bytes]) -> None:
    """Give a program a dump to load, unpacked; what the chunks raise kills it first.

    If the program fails, the dump is read to its end: perhaps that is what is damaged. The program
    may stand still for as long as it may work at all: indexes are built after the last byte.

    Raises:
        DumpError: the program failed.
        LoadError: the dump is not what its name says.
    """
    patient = replace(command, stall_limit=command.time_limit)
    unpacked = _unpacked(file_name, chunks)
    try:
        with Program(patient, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as program:
            for chunk in unpacked:
                program.write(chunk)
            program.finish()
    except DumpError:
        for _ in unpacked:
            pass
        raise


def _unpacked(file_name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    if not file_name.endswith(".gz"):
        yield from chunks
        return
    inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # 16: with the gzip header
    try:
        for chunk in chunks:
            yield inflate.decompress(chunk)
    except zlib.error as error:
        raise LoadError(f"The dump {file_name} cannot be unpacked: {error}.") from error
    if not inflate.eof:
        raise LoadError(f"The dump {file_name} ends in the middle.")


@contextmanager
def load_errors(consequence: str) -> Iterator[None]:
    """Translate what a database program raises; `consequence` says how the database is left."""
    try:
        yield
    except DumpError as error:
        sentence = str(error).removesuffix(".") + "."
        hint = "" if error.hint == error.default_hint else error.hint
        raise LoadError(f"{sentence} {consequence}".strip(), hint=hint) from error


def scratch_name() -> str:
    """Name a database for a trial as nobody names one of theirs."""
    return f"backupd_drill_{token_hex(6)}"
