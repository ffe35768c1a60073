"""What root makes by hand in the daemon's state directory belongs to the daemon's user."""

import os
import stat
from pathlib import Path


def hand_back(base: Path) -> None:
    """Give what root owns below `base` to the owner of `base`, if that is not root too.

    Files with several hard links stay as they are: one of them may be a file of root's that the
    owner of `base` linked there to be given it.
    """
    if os.geteuid() != 0 or not base.is_dir():
        return
    owner = base.stat()
    if owner.st_uid == 0:
        return
    for folder, _, names in os.walk(base):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            found = path.lstat()
            ours = stat.S_ISDIR(found.st_mode) or (
                stat.S_ISREG(found.st_mode) and found.st_nlink == 1
            )
            if found.st_uid == 0 and ours:
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
