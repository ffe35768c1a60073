"""What people were told, kept in the outbox beside the messages that told it."""

import structlog
from pydantic import TypeAdapter, ValidationError

from backupd.outbox import Draft, Outbox
from backupd.telling.notices import Memory, Open

_MEMORY = TypeAdapter(Memory)
_NAME = "telling"


def read_memory(source: Draft | Outbox) -> Memory:
    """Read what was remembered; a memory that cannot be read is begun anew."""
    text = source.memory(_NAME)
    if not text:
        return Memory()
    try:
        return _MEMORY.validate_json(text)
    except ValidationError:
        structlog.get_logger("backupd").warning("what was told before cannot be read; begun anew")
        return Memory()


def write_memory(draft: Draft, memory: Memory) -> None:
    """Remember it for the next operation."""
    draft.remember(_NAME, _MEMORY.dump_json(memory).decode())


def open_problems(outbox: Outbox) -> tuple[Open, ...]:
    """Give the problems that are not over, the oldest first."""
    return tuple(sorted(read_memory(outbox).problems.values(), key=lambda each: each.since))
