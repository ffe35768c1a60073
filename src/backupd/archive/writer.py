"""Members in, one standard ZIP out."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from backupd.archive.build import Build
from backupd.archive.carry import Layout, Moments, carrier
from backupd.archive.encoding import Encoder
from backupd.archive.ledger import Ledger
from backupd.archive.making import Making
from backupd.archive.output import FileOutput, Output
from backupd.archive.probe import refuse_plain_members
from backupd.archive.restore_text import RESTORE_PATH
from backupd.archive.sealed import SealedOutput
from backupd.archive.workers import Workers, default_workers
from backupd.direct import opened
from backupd.errors import ArchiveError
from backupd.model import Archive, ArchiveHeader, Member, Omission
from backupd.ports import Progress

_ORDINARY = Making()


def build_archive(
    items: Iterable[Member | Omission],
    target: Path,
    header: ArchiveHeader,
    *,
    password: str | None,
    on_progress: Progress,
    making: Making = _ORDINARY,
) -> Archive:
    """Write all members, `RESTORE.txt` and the manifest to `target`, and make it durable.

    A file that cannot be read becomes an omission; one that changes while it is read is read
    again at the end, and then taken as it is. A dump that fails raises, and so does anything that
    is wrong with the archive: then what stands at `target` is of no use.

    Raises:
        SourceError: as `items` raises it.
        ArchiveError: the archive cannot be written, or came out with a plain member although
            a password is set.
        DumpError: a dump failed, as the dump itself raised it.
    """
    with _failures_explained(target):
        with _engine(target, header, password or "", making, on_progress) as engine:
            build, workers = engine.build, engine.workers
            workers.run(build.steps(items))
            workers.run(build.steps_again())
            workers.run(build.own_steps())
            build.ledger.write_directory(build.output)
            engine.output.settle()  # while the previous archive, whose blocks it may share, is open
        if password:
            hidden = build.layout.names_hidden
            refuse_plain_members(target, allowed=RESTORE_PATH if hidden else "")
    return _outcome(target, engine)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Engine:
    """All that is at work while an archive is built."""

    output: FileOutput
    build: Build
    workers: Workers
    full_because: str
    """Why nothing is carried over, or ""."""


@contextmanager
def _engine(
    target: Path, header: ArchiveHeader, password: str, making: Making, on_progress: Progress
) -> Iterator[_Engine]:
    """Start everything; at the end the archive is durable."""
    level = making.compression.value
    encoder = Encoder(level=level, zone=ZoneInfo(header.timezone), password=password)
    layout = Layout(
        compression=level,
        encrypted=bool(password),
        names_hidden=bool(password) and making.hide_names,
        timezone=header.timezone,
    )
    moments = Moments(now=header.created_at, oldest_full=header.created_at - making.full_every)
    with (
        _created(target) as output,
        _contents(output, header, encoder, making, layout) as (contents, inner_encoder),
        Ledger(target.parent) as ledger,
        carrier(making.previous, password, target.parent, layout, moments) as (found, why_none),
        Workers(making.workers or default_workers(), ("build", *inner_encoder.values())) as workers,
    ):
        build = Build(
            header=header,
            encoder=inner_encoder,
            new_salt=making.new_salt,
            output=contents,
            ledger=ledger,
            on_progress=on_progress,
            layout=layout,
            carrier=found,
        )
        yield _Engine(output=output, build=build, workers=workers, full_because=why_none)


@contextmanager
def _failures_explained(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ArchiveError(
            f"The archive {target.name} cannot be written: {error.strerror or error}.",
            hint=f"Check the free space and the permissions of {target.parent}.",
        ) from error


def _outcome(target: Path, engine: _Engine) -> Archive:
    build = engine.build
    return Archive(
        name=build.header.archive,
        path=target,
        size=engine.output.position,
        sha256=engine.output.sha256(),
        created_at=build.header.created_at,
        scope=build.header.scope,
        encrypted=build.layout.encrypted,
        members=build.members,
        content_bytes=build.content_bytes,
        databases=tuple(build.databases),
        omissions=tuple(build.omissions),
        changed_while_read=tuple(build.changed),
        carried=build.carried,
        full_because=engine.full_because,
    )


@contextmanager
def _created(target: Path) -> Iterator[FileOutput]:
    """Make the file; it is durable at the end."""
    with opened(target, os.O_RDWR | os.O_CREAT | os.O_EXCL) as file:
        with ThreadPoolExecutor(1, "hash") as hasher, ThreadPoolExecutor(1, "write") as writer:
            output = FileOutput(file, hasher, writer)
            yield output
            output.settle()
        file.sync()


@contextmanager
def _contents(
    output: Output, header: ArchiveHeader, encoder: Encoder, making: Making, layout: Layout
) -> Iterator[tuple[Output, Encoder]]:
    """Give where members are written to, and what encodes them; if names are hidden, seal it."""
    if not layout.names_hidden:
        yield output, encoder
        return
    sealed = SealedOutput(output, header, encoder, making.new_salt)
    yield sealed, replace(encoder, password="")
    sealed.close()
