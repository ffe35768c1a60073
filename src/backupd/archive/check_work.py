"""What a worker does while an archive is read back: it compares the members of short runs."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from backupd.archive.content import opened_content
from backupd.archive.directory import Record
from backupd.archive.slots import Message, Slot
from backupd.errors import DamagedError

if TYPE_CHECKING:
    from backupd.archive.reader import Run

_TOLD = 9
"""So many fields of `Record`, from the first on, are enough to read a member."""
_NOT_TOLD = (0, b"", (0, 0))
"""What stands for the others, which are for who restores."""


def question(run: "Run") -> Message:
    """Return what a worker must know of a run whose bytes stand in the slot's plain area."""
    return run.start, [(member.record[:_TOLD], member.entry.sha256) for member in run.members]


def check_work(password: str | None) -> Callable[[Slot], None]:
    """Return what is to be done with each slot that has a `question`.

    The answer is how many members are good, how many plain bytes they have, and of the others
    their number in the run and what is wrong.
    """
    return partial(_check, password=password)


def _check(slot: Slot, password: str | None) -> None:
    _, (start, members) = slot.get()
    good, size, flaws = 0, 0, list[tuple[int, str]]()
    for number, (told, sha256) in enumerate(members):
        record = Record._make((*told, *_NOT_TOLD))
        raw = slot.plain[record.offset - start : record.end - start]
        try:
            size += sum(map(len, opened_content(record, [raw], password=password, sha256=sha256)))
            good += 1
        except DamagedError as error:
            flaws.append((number, error.what))
    slot.put((good, size, flaws))
