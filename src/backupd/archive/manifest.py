"""The manifest: JSON inside the archive that names every member (`docs/reference/manifest.md`).

One line holds one member, so that a manifest of any length is written and read line by line,
and is one ordinary JSON document for everybody else.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from backupd.errors import ArchiveError, DamagedError
from backupd.model import (
    ArchiveHeader,
    DatabaseFacts,
    Manifest,
    ManifestEntry,
    MemberKind,
    Omission,
    OmissionReason,
    Scope,
)

FORMAT = 1
_KINDS = {kind.value: kind for kind in MemberKind}
MANIFEST_PATH = ".backupd/manifest.json"


def manifest_frame(
    header: ArchiveHeader,
    *,
    encrypted: bool,
    directory_crc32: int = 0,
    databases: Sequence[DatabaseFacts] = (),
    omissions: Sequence[Omission] = (),
    **others: str | bool,
) -> tuple[bytes, bytes]:
    """Write what stands before and behind its members' lines, which have commas between them.

    `others` is what the next archive must know to carry members over, and `directory_crc32` that of
    their records in the central directory. All is ASCII; paths that are not UTF-8 keep their lone
    surrogates.
    """
    head = {
        "format": FORMAT,
        "archive": header.archive,
        "set": header.set_name,
        "created_at": header.created_at.isoformat(),
        "timezone": header.timezone,
        "scope": header.scope,
        "backupd": header.version,
        "encrypted": encrypted,
        **others,
        "databases": [asdict(database) for database in databases],
        "omissions": [asdict(omission) for omission in omissions],
    }
    end = f'\n], "directory_crc32": {directory_crc32}}}\n'
    return json.dumps(head)[:-1].encode() + b', "members": [\n', end.encode()


def parse_manifest(lines: Iterable[bytes | memoryview]) -> Manifest:
    """Read a manifest.

    Raises:
        DamagedError: it is not a manifest.
        ArchiveError: it is one of a newer format than this program knows.
    """
    try:
        document = json.loads(b"".join(lines))
        if document["format"] != FORMAT:
            raise ArchiveError(
                f"The archive's manifest has format {document['format']}; "
                f"this backupd reads format {FORMAT}.",
                hint="Install the backupd that wrote it, or a newer one; any ZIP program opens it.",
            )
        return _manifest(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(f"The archive's manifest cannot be read: {error!r}.") from error


def database_facts(values: dict[str, Any]) -> DatabaseFacts:
    """Read what the manifest says of one database."""
    listed = {name: tuple(each) for name, each in values.items() if isinstance(each, list)}
    return DatabaseFacts(**{**values, **listed})


def _entry(values: dict[str, Any]) -> ManifestEntry:
    values["kind"] = _KINDS[values["kind"]]
    return ManifestEntry(**values)


def _manifest(document: dict[str, Any]) -> Manifest:
    return Manifest(
        header=ArchiveHeader(
            archive=document["archive"],
            set_name=document["set"],
            created_at=datetime.fromisoformat(document["created_at"]),
            timezone=document["timezone"],
            scope=Scope(document["scope"]),
            version=document["backupd"],
        ),
        encrypted=document["encrypted"],
        databases=tuple(map(database_facts, document["databases"])),
        omissions=tuple(
            Omission(**{**omission, "reason": OmissionReason(omission["reason"])})
            for omission in document["omissions"]
        ),
        entries=tuple(map(_entry, document["members"])),
    )
