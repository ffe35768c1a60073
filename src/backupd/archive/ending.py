"""Whether an archive at a destination has its end: the cheapest sign that it is not cut short."""

from backupd.ports import Destination

_END_RECORD = b"PK\x05\x06"
_END_RECORD_BYTES = 22
_LONGEST_COMMENT = 0xFFFF


def has_its_end(destination: Destination, key: str, size: int) -> bool:
    """Look for the end record (APPNOTE 4.3.16), which stands before a comment at the very end.

    Raises:
        DestinationError: it cannot be read; ObjectNotFoundError: it is gone.
    """
    length = min(size, _END_RECORD_BYTES + _LONGEST_COMMENT)
    tail = b"".join(destination.read(key, size - length, length))
    start = tail.rfind(_END_RECORD)
    while start >= 0:
        comment = int.from_bytes(tail[start + 20 : start + _END_RECORD_BYTES], "little")
        if start + _END_RECORD_BYTES + comment == length == len(tail):
            return True
        start = tail.rfind(_END_RECORD, 0, start)
    return False
