"""Sends parts several at a time; the first failure stops them all."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError

from backupd.destinations.s3_content import Part
from backupd.ports import Progress

Answer = Mapping[str, object]


class PartCrew:
    """A few threads over one queue of parts; `on_progress` is never called by two at once."""

    def __init__(
        self,
        parts: Sequence[Part],
        send: Callable[[Part, Progress], Answer],
        on_progress: Progress,
    ) -> None:
        self._queue = iter(parts)
        self._send = send
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._progress_lock = threading.Lock()
        self._answers: dict[int, Answer] = {}
        self._failures: list[BaseException] = []

    def run(self, at_once: int) -> dict[int, Answer]:
        """Send every part and return the answers by part number, or raise the first failure."""
        # Daemon threads: a server that no longer answers must not hold up the program's end.
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException as error:
            self._failures.append(error)
            raise
        if self._failures:
            raise self._failures[0]
        return self._answers

    def _work(self) -> None:
        try:
            while part := self._next():
                self._answers[part.number] = self._send(part, self._moved)
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
            self._failures.append(error)

    def _next(self) -> Part | None:
        with self._lock:
            return None if self._failures else next(self._queue, None)

    def _moved(self, count: int) -> None:
        with self._progress_lock:
            if self._failures:
                raise CancelledError
            self._on_progress(count)
