"""Manifests that no backup wrote."""

from collections.abc import Iterator

from backupd.archive.lines import LINE_END, line_start, member_line, owner_part
from backupd.archive.manifest import manifest_frame
from backupd.model import Manifest, ManifestEntry


def manifest_lines(manifest: Manifest) -> Iterator[bytes]:
    """Write a manifest that is in memory as a whole."""
    start, end = manifest_frame(
        manifest.header,
        encrypted=manifest.encrypted,
        databases=manifest.databases,
        omissions=manifest.omissions,
    )
    yield from (start, LINE_END.join(map(_line, manifest.entries)), end)


def _line(entry: ManifestEntry) -> bytes:
    known = (entry.mtime_ns, entry.mode, entry.size, entry.uid, entry.gid)
    later = (entry.ctime_ns, entry.inode, 0)
    start = line_start(entry.path, entry.kind, entry.size, (*known, *later), entry.link_target)
    return member_line(
        start,
        owner_part(entry.user, entry.group),
        sha256=entry.sha256,
        changed_while_read=entry.changed_while_read,
        stored_crc32=entry.stored_crc32,
        carried_from=entry.carried_from,
    )
