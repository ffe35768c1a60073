"""What is seen of a database before anybody dumps it: the part of `doctor` that sources know."""

from collections.abc import Sequence
from typing import NamedTuple

from backupd.errors import DumpError

_NAMED = 5


class Sighting(NamedTuple):
    """One sentence; with a hint, it is something that the operator should mend."""

    sentence: str
    hint: str = ""


def refuse_unreadable(names: Sequence[str], database: str) -> None:
    """Name what the dump user may not read.

    Raises:
        DumpError: there is something.
    """
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        raise DumpError(
            f"The user may not read everything in the database '{database}': "
            f"{', '.join(names[:_NAMED])}{more}.",
            hint="Grant the dump user what it lacks; docs/how-to/databases.md lists the least "
            "rights.",
        )
