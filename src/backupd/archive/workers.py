"""Worker processes that read, hash, deflate and encrypt, while one writer keeps the order.

What they do with a slot is said by a setup: to build is in `build_work.py`, which most of this page
is about; to compare, when a large archive is read back, in `check_work.py`.

Why processes: on small files most of the time is Python's own, and threads would take turns at
it. Why started afresh and not forked: the parent may hold threads, locks and secrets, and a
fork would copy them in whatever state they are.

Nothing but slot numbers travels through pipes. Requests and answers stand in slots of one
anonymous shared file (`slots.py`), so that bytes are not copied from process to process, memory
is bounded by the number of slots, and no pipe can fill up: nobody ever waits for somebody who
waits for him.

    parent                                             each worker
    ──────                                             ───────────
    takes a free slot, writes a request into it        reads one byte from the inbox, which all
    writes the slot's number, one byte, to the         workers share: whoever is idle gets it
    inbox, a pipe                                      works, writes the answer into the slot
    waits at the outboxes, a pipe from each worker     writes the number to its own outbox
    takes answers in the order of the requests
    (writes to the archive); the slot is free again

There are two slots a worker and some more, so that workers stay busy while the parent waits for
a processor. The parent reads and hashes large members (and encrypts where one key stream runs
through everything), one thread of it hashes the archive, and one writes it (`output.py`): they hold
no lock of Python's for long, so two processors are used to the full.

- A worker that is killed closes its outbox: the parent sees that and raises. Nothing is tried
  again, for what killed it (no memory left, mostly) would again.
- If the parent dies, its end of the inbox closes, and every worker ends when it reads next.
- Workers have no state worth saving, so the parent ends them by SIGKILL, whatever happens.
- An error in a worker's own code comes back as an answer and is raised in the parent.

What is to be done comes as steps: a `Request` asks a worker and later takes its answer, a plain
function needs no worker. Answers are taken and functions called strictly in the order of the
steps, whatever the workers' own order was.
"""

import os
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from backupd.archive.slots import Message, SharedMemory, Slot
from backupd.errors import ArchiveError

MOST_WORKERS: Final = 16
"""More would only wait for the one writer."""

_MORE_SLOTS: Final = 6
_MALLOC: Final = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "33554432"}
"""For glibc: what a worker frees it asks for again at once, so it keeps up to 32 MiB of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Something for a worker to do."""

    ask: Callable[[Slot], Message]
    """Return the message that the worker finds in the slot; `plain` may be filled, too."""
    take: Callable[[Slot, memoryview, Message], None]
    """Take the encoded bytes and the answer; both slot and bytes are valid only meanwhile."""


Step = Request | Callable[[], None]


def default_workers() -> int:
    """Return one worker for each processor that this process may use."""
    return min(len(os.sched_getaffinity(0)), MOST_WORKERS)


class Workers:
    """Some worker processes; on leaving the context they are gone, whatever happened.

    Raises:
        ArchiveError: one cannot be started, or died.
    """

    def __init__(self, count: int, setup: Message) -> None:
        slots = 2 * count + _MORE_SLOTS
        self._memory = os.memfd_create("backupd-archive")
        os.truncate(self._memory, SharedMemory.length(slots))
        self._shared = SharedMemory(self._memory, slots)
        self._shared.put_setup(setup)
        self._free = list(self._shared.slots)
        self._answered: set[int] = set()
        self._waiting: deque[tuple[Step, Slot | None]] = deque()
        inbox, self._inbox = os.pipe()
        self._outboxes: dict[int, subprocess.Popen[bytes]] = {}
        self._poll = select.poll()
        # Workers inherit the mask and keep it: Ctrl-C and systemd's SIGTERM reach the whole group,
        # and the parent decides when to stop.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            for _ in range(count):
                self._start(slots, inbox)
        except BaseException as error:
            self.close()
            if not isinstance(error, OSError):
                raise
            raise ArchiveError(
                f"The archive engine's workers cannot be started: {error.strerror}."
            ) from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(inbox)

    def _start(self, slots: int, inbox: int) -> None:
        outbox, worker_end = os.pipe()
        try:
            worker = subprocess.Popen(
                [sys.executable, "-P", "-m", "backupd.archive.worker"]
                + [str(number) for number in (self._memory, slots, inbox, worker_end)],
                # The interpreter that runs now, even if an upgrade has replaced its file.
                executable="/proc/self/exe",
                pass_fds=(self._memory, inbox, worker_end),
                env=_MALLOC | os.environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        except OSError:
            os.close(outbox)
            raise
        finally:
            os.close(worker_end)
        self._outboxes[outbox] = worker
        self._poll.register(outbox, select.POLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every worker at once."""
        os.close(self._inbox)
        for outbox, worker in self._outboxes.items():
            worker.kill()
            worker.wait()
            os.close(outbox)
        self._outboxes.clear()
        os.close(self._memory)

    def run(self, steps: Iterable[Step]) -> None:
        """Do all steps, of which there is no more than a few in memory at a time."""
        for step in steps:
            if isinstance(step, Request):
                slot = self._free_slot()
                slot.put(step.ask(slot))
                self._tell(slot)
                self._waiting.append((step, slot))
            else:
                self._waiting.append((step, None))
            while self._waiting and self._is_ready():
                self._finish_first()
        while self._waiting:
            self._finish_first()

    def _tell(self, slot: Slot) -> None:
        try:
            os.write(self._inbox, bytes([slot.number]))
        except BrokenPipeError:  # every worker is dead
            while True:
                self._listen()

    def _free_slot(self) -> Slot:
        while not self._free:
            self._finish_first()
        return self._free.pop()

    def _is_ready(self) -> bool:
        slot = self._waiting[0][1]
        return slot is None or slot.number in self._answered

    def _finish_first(self) -> None:
        """Wait for the oldest step's answer and take it."""
        while not self._is_ready():
            self._listen()
        step, slot = self._waiting.popleft()
        if not isinstance(step, Request):
            step()
        elif slot is not None:
            encoded, answer = slot.get()
            if answer[0] == "bug":
                raise RuntimeError(f"A worker of the archive engine failed:\n{answer[1]}")
            step.take(slot, encoded, answer)
            self._answered.remove(slot.number)
            self._free.append(slot)

    def _listen(self) -> None:
        """Wait until workers have answered, and note which slots they gave back."""
        for outbox, _ in self._poll.poll():
            numbers = os.read(outbox, len(self._shared.slots))
            if not numbers:
                status = self._outboxes[outbox].wait()
                cause = f"was killed by signal {-status}" if status < 0 else f"ended ({status})"
                raise ArchiveError(
                    f"A worker process of the archive engine {cause}.",
                    hint="If memory ran out (see 'journalctl -k'), give backupd more, "
                    "or fewer processors; then try again.",
                )
            self._answered.update(numbers)
