"""What a worker is told of a member."""

from backupd.archive.reading import Reading
from backupd.model import Member


def test_a_reading_begins_as_the_member_that_it_is_of() -> None:
    assert Reading._fields[:-1] == Member._fields[: len(Reading._fields) - 1]
    known = ("mtime_ns", "mode", "size", "uid", "gid", "ctime_ns", "inode", "device")
    assert Member._fields[2:10] == known
