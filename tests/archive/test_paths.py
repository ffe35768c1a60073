"""Which paths may stand in one archive together."""

from hypothesis import given
from hypothesis import strategies as st

from backupd.archive.honesty import refuse_unsafe_paths
from backupd.archive.paths import Paths
from backupd.model import ManifestEntry, MemberKind

parts = st.lists(st.sampled_from(["a", "b", ".backupd", "manifest.json"]), min_size=1, max_size=4)
found = st.lists(st.tuples(parts.map("/".join), st.sampled_from(MemberKind)), max_size=20)


def entry(path: str, kind: MemberKind) -> ManifestEntry:
    return ManifestEntry(path=path, kind=kind, size=0, mtime_ns=0, mode=0o600, uid=0, gid=0)


@given(found=found)
def test_what_is_taken_can_be_restored(found: list[tuple[str, MemberKind]]) -> None:
    paths = Paths()
    taken = [
        entry(path, kind)
        for path, kind in found
        if paths.take(path, is_directory=kind is MemberKind.DIRECTORY)
    ]
    refuse_unsafe_paths([*taken, entry(".backupd/manifest.json", MemberKind.FILE)])


def test_the_first_of_two_that_exclude_each_other_is_taken() -> None:
    paths = Paths()
    assert paths.take("link")
    assert not paths.take("link/inside/deep")
    assert paths.take("folder/file")
    assert not paths.take("folder")
    assert paths.take("folder", is_directory=True)
    assert paths.take("folder/link")
    assert not paths.take(".backupd")
    assert not paths.take(".backupd/manifest.json")
