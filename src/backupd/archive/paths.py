"""The paths of an archive's members: each once, and none inside a file or a link."""

from backupd.archive.honesty import parents
from backupd.archive.manifest import MANIFEST_PATH


class Paths:
    """Paths that are taken; what would make an archive that nobody can unpack is refused."""

    def __init__(self) -> None:
        self._taken = {MANIFEST_PATH}
        self._directories: set[str] = set()
        """Those of members that are directories."""
        self._above = set(parents(MANIFEST_PATH))
        """Those that have a member inside."""

    def __contains__(self, path: str) -> bool:
        return path in self._taken

    def has_directory(self, path: str) -> bool:
        """Tell whether there is a member of that path that is a directory."""
        return path in self._directories

    def take(self, path: str, *, is_directory: bool = False) -> bool:
        """Take a path, if it is free and everything above it is a directory, or nothing yet."""
        if path in self._taken or (path in self._above and not is_directory):
            return False
        parent = path.rpartition("/")[0]
        if parent and parent not in self._above and not self._take_above(path):
            return False
        self._taken.add(path)
        if is_directory:
            self._directories.add(path)
        return True

    def _take_above(self, path: str) -> bool:
        """Note the directories that lead to a path, if all of them are, or can be, directories."""
        above = []
        for parent in parents(path):
            if parent in self._above:
                break
            if parent in self._taken and parent not in self._directories:
                return False
            above.append(parent)
        self._above.update(above)
        return True
