"""A tree with every oddity, backed up and restored by the command line, comes back equal.

`scripts/soak-restore` does the same with 20,000 files.
"""

import os
import shutil

import pytest

from conftest import Program
from fakes.archives import look
from fakes.bucket import OwnBucket
from fakes.large_tree import differences, large_odd_tree, restorable
from fakes.overheard import secret

FILES = 1_500


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read, and give away, files of others")
@pytest.mark.parametrize(
    "sealing",
    [
        {},
        {"ARCHIVE_PASSWORD": f"päss wörd {secret('archive')}"},
        {"ARCHIVE_PASSWORD": f"päss wörd {secret('archive')}", "ENCRYPTION__HIDE_NAMES": "yes"},
    ],
    ids=["plain", "encrypted", "names hidden"],
)
def test_everything_comes_back_as_it_was_from_a_directory_and_from_a_bucket(
    program: Program, bucket: OwnBucket, sealing: dict[str, str]
) -> None:
    tree = large_odd_tree(program.folder / "tree", FILES)
    program.set(SOURCE__ROOT=str(tree), **sealing)
    program.keep_in(bucket)
    done = program("run")
    assert done.code == 0, done.err
    for destination in ("here", "offsite"):
        out = program.folder / destination
        done = program("restore", "--destination", destination, "--to", str(out))
        assert done.code == 0, done.err
        assert differences(restorable(tree), look(out)) == {}
        shutil.rmtree(out)
    shutil.rmtree(tree)
