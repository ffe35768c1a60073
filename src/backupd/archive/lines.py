"""A member's line in the manifest; workers write most of them, so this imports next to nothing."""

from json.encoder import encode_basestring_ascii

quoted = encode_basestring_ascii
"""Write a string as JSON."""

LINE_END = b",\n"


def member_line(
    path: str,
    kind: str,
    size: int,
    *,
    mtime_ns: int,
    mode: int,
    uid: int,
    gid: int,
    **others: str | int,
) -> bytes:
    """Write a member as JSON in ASCII; of `others`, what is 0, false or "" is left out.

    A path that is not UTF-8 keeps its lone surrogates. What `carry.py` compares comes first. (The
    json module would take three times as long, and this is done for every member.)
    """
    line = (
        f'{{"path": {quoted(path)}, "kind": "{kind}", "size": {size}, "mtime_ns": {mtime_ns}, '
        f'"mode": {mode}, "uid": {uid}, "gid": {gid}'
    )
    for name, value in others.items():
        if value:
            text = quoted(value) if isinstance(value, str) else "true" if value is True else value
            line += f', "{name}": {text}'
    return (line + "}").encode()
