"""A worker process: takes a slot's number, does what stands in the slot, gives the number back.

It is started by `workers.py`, where the whole is explained, as `python -P -m
backupd.archive.worker`, and imports as little as it can.
"""

import gc
import os
import sys
from zoneinfo import ZoneInfo

from backupd.archive import deflate
from backupd.archive.encoding import Encoder
from backupd.archive.reading import readings
from backupd.archive.slots import SharedMemory, Slot, lay


def main(memory: int, slots: int, inbox: int, outbox: int) -> None:
    """Work until the inbox is closed, which it also is when the parent dies."""
    gc.disable()  # nothing here refers to itself
    shared = SharedMemory(memory, slots)
    level, zone, password = shared.setup()
    encoder = Encoder(level=level, password=password, zone=ZoneInfo(zone))
    while number := os.read(inbox, 1):
        slot = shared.slots[number[0]]
        try:
            _do(slot, encoder)
        except Exception:  # noqa: BLE001  (a bug: the parent raises it where it is seen)
            import traceback  # noqa: PLC0415  (slow to import)

            slot.put(("bug", traceback.format_exc()))
        try:
            os.write(outbox, number)
        except BrokenPipeError:
            return


def _do(slot: Slot, encoder: Encoder) -> None:
    _, request = slot.get()
    match request:
        case ("batch", columns, last_try):
            batch = readings(columns)
            length, encoded = encoder.encode(batch, slot.work, last_try=last_try)
            slot.put(tuple(encoded), length)
        case ("chunk", length, may_shrink):
            _deflate(slot, length, encoder.level, may_shrink=may_shrink)
        case _:
            raise ValueError(request)


def _deflate(slot: Slot, length: int, level: str, *, may_shrink: bool) -> None:
    """Deflate what stands in the plain area, or store it within the deflate stream."""
    chunk = slot.plain[:length]
    stored = not (may_shrink and deflate.promises_to_shrink(chunk))
    pieces = deflate.store_chunk(chunk) if stored else deflate.compress_chunk(chunk, level)
    if not stored and sum(map(len, pieces)) >= length:
        pieces = deflate.store_chunk(chunk)
    slot.put((length,), lay(pieces, slot.work))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
