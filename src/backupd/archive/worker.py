"""A worker process: takes a slot's number, does what stands in the slot, gives the number back.

It is started by `workers.py`, where the whole is explained, as `python -P -m
backupd.archive.worker`, and imports as little as it can.
"""

import gc
import os
import sys
from collections.abc import Callable

from backupd.archive.slots import Message, SharedMemory, Slot


def main(memory: int, slots: int, inbox: int, outbox: int) -> None:
    """Work until the inbox is closed, which it also is when the parent dies."""
    gc.disable()  # nothing here refers to itself
    shared = SharedMemory(memory, slots)
    do = _work(shared.setup())
    while number := os.read(inbox, 1):
        slot = shared.slots[number[0]]
        try:
            do(slot)
        except Exception:  # noqa: BLE001  (a bug: the parent raises it where it is seen)
            import traceback  # noqa: PLC0415  (slow to import)

            slot.put(("bug", traceback.format_exc()))
        try:
            os.write(outbox, number)
        except BrokenPipeError:
            return


def _work(setup: Message) -> Callable[[Slot], None]:
    """Return what is to be done with each slot; only what that needs is imported."""
    match setup:
        case ("build", *values):
            from backupd.archive.build_work import build_work  # noqa: PLC0415

            return build_work(*values)
        case ("check", password):
            from backupd.archive.check_work import check_work  # noqa: PLC0415

            return check_work(password)
    raise ValueError("no such work")  # and not the setup: it may have a password


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
