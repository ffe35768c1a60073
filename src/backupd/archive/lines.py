"""A member's line in the manifest; workers write most of them, so this imports next to nothing."""

from json.encoder import encode_basestring_ascii

from backupd.archive.reading import Known

quoted = encode_basestring_ascii
"""Write a string as JSON."""

LINE_END = b",\n"


def line_start(path: str, kind: str, size: int, known: Known, link_target: str) -> str:
    """Write how a member's line starts: what `carry.py` compares, and the file system tells.

    From the inode on, what is 0 or "" is left out.
    """
    mtime_ns, mode, _, uid, gid, ctime_ns, inode, _ = known
    line = (
        f'{{"path": {quoted(path)}, "kind": "{kind}", "size": {size}, "mtime_ns": {mtime_ns}, '
        f'"mode": {mode}, "uid": {uid}, "gid": {gid}'
    )
    if inode:
        line += f', "inode": {inode}'
    if ctime_ns:
        line += f', "ctime_ns": {ctime_ns}'
    if link_target:
        line += f', "link_target": {quoted(link_target)}'
    return line


def owner_part(user: str, group: str) -> str:
    """Write whose a member is, by names; nothing for one that is not known."""
    part = f', "user": {quoted(user)}' if user else ""
    return part + f', "group": {quoted(group)}' if group else part


def member_line(
    start: str,
    owner: str,
    *,
    sha256: str,
    changed_while_read: bool,
    stored_crc32: int,
    carried_from: str = "",
) -> bytes:
    """Write a member as JSON in ASCII, of what `line_start` and `owner_part` wrote and the rest.

    What is 0, false or "" is left out.

    A path that is not UTF-8 keeps its lone surrogates. (The json module would take three times as
    long, and this is done for every member.)
    """
    line = start + owner
    if sha256:
        line += f', "sha256": "{sha256}"'
    if changed_while_read:
        line += ', "changed_while_read": true'
    if stored_crc32:
        line += f', "stored_crc32": {stored_crc32}'
    if carried_from:
        line += f', "carried_from": {quoted(carried_from)}'
    return (line + "}").encode()
