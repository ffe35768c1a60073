"""What a worker does while an archive is built: encodes small members, deflates large ones."""

from collections.abc import Callable
from functools import partial
from zoneinfo import ZoneInfo

from backupd.archive import deflate
from backupd.archive.encoding import Encoder
from backupd.archive.reading import readings
from backupd.archive.slots import Slot, lay


def build_work(level: str, zone: str, password: str) -> Callable[[Slot], None]:
    """Return what is to be done with each slot; the values are those of `Encoder`."""
    return partial(_do, encoder=Encoder(level=level, password=password, zone=ZoneInfo(zone)))


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
