"""Sends what waits in the outbox: each channel in a thread of its own, with growing pauses."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from backupd.errors import NotifierError
from backupd.outbox import Envelope, Outbox
from backupd.ports import Clock, Notifier

_LOOK_EVERY = 15.0
"""Seconds; whoever writes to the outbox also sends, so this is for what was left."""

_FOR_DISK = 5.0
"""Seconds."""

_log = structlog.get_logger("backupd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One look at what is due for one channel, or for the channels `group:…`."""

    outbox: Outbox
    group: str
    notifiers: Mapping[str, Notifier]
    """By channel: `webhook`, `mail:admin@example.org`."""
    clock: Clock
    noting: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Held while it is written down how sending came out: cut off there, it would be sent again."""

    def go(self) -> None:
        """Send all that is due, in order; while another process does so, leave it alone.

        Raises:
            BackupdError: the outbox cannot be used.
        """
        with self._alone() as alone:
            if not alone:
                return
            down: set[str] = set()
            for envelope in self.outbox.due(self.group, self.clock.now()):
                if envelope.channel not in down and not self._sent(envelope):
                    down.add(envelope.channel)

    def _sent(self, envelope: Envelope) -> bool:
        """Send one message; tell whether the channel is good for the next."""
        now = self.clock.now()
        about = {"channel": self.group, "message": envelope.message.id}
        if envelope.expires_at <= now:
            _log.warning("a message was given up", **about, error=envelope.error or "out of date")
            self.outbox.end(envelope, now, envelope.error or "out of date")
            return True
        notifier = self.notifiers.get(envelope.channel)
        if notifier is None:
            self.outbox.end(envelope, now, "this channel is not set any more")
            return True
        try:
            notifier.send(envelope.message)
        except NotifierError as error:
            level = _log.warning if envelope.tries == 0 else _log.debug
            level(f"a message waits: {error}", **about, hint=error.hint, tries=envelope.tries + 1)
            self.outbox.postpone(envelope, now, error)
            return not error.temporary
        except Exception as error:  # noqa: BLE001  (one message must not stop all others)
            _log.exception("a bug in a notifier", **about)
            bug = NotifierError(f"A bug in backupd stopped it ({type(error).__name__}).")
            self.outbox.postpone(envelope, now, bug)
            return True
        with self.noting:
            self.outbox.end(envelope, self.clock.now())
        _log.info("message sent", **about)
        return True

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Lock the channel; `run` by hand and the daemon share one outbox."""
        path = Path(f"{self.outbox.path}.{self.group}.lock")
        if not self.outbox.path.exists():
            yield False
            return
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(descriptor)


class OutboxWorker:
    """Sends in the background: starts a thread for each channel, wakes them, lets them finish.

    The threads end with the program, whatever a mail server makes them wait for; what they did
    not send stays in the outbox for the next worker.
    """

    def __init__(self, outbox: Outbox, notifiers: Mapping[str, Notifier], clock: Clock) -> None:
        groups = dict.fromkeys(channel.partition(":")[0] for channel in notifiers)
        self._threads = [
            _ChannelThread(Round(outbox=outbox, group=group, notifiers=notifiers, clock=clock))
            for group in groups
        ]

    def start(self) -> None:
        """Start the threads; what waits from earlier is sent now."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look at the outbox now, and not in a few seconds."""
        for thread in self._threads:
            thread.wake()

    def stop(self, seconds: float) -> bool:
        """Send what is due, once, and stop; tell whether all was done in so many seconds.

        The other side is not waited for any longer, but a slow disk is, which notes what was taken.
        """
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.finish()
        ended = [thread.wait(deadline - time.monotonic()) for thread in self._threads]
        return all(ended)


class _ChannelThread:
    """Goes round after round until it is told to finish."""

    def __init__(self, work: Round) -> None:
        self._round = work
        self._woken = threading.Event()
        self._finishing = False
        self._thread = threading.Thread(target=self._run, name=f"outbox-{work.group}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def finish(self) -> None:
        self._finishing = True
        self._woken.set()

    def wait(self, seconds: float) -> bool:
        self._thread.join(max(seconds, 0.0))
        ended = not self._thread.is_alive()
        if not ended and self._round.noting.acquire(timeout=_FOR_DISK):
            self._round.noting.release()
        return ended

    def _run(self) -> None:
        while True:
            self._woken.clear()
            last = self._finishing
            try:
                self._round.go()
            except Exception:  # noqa: BLE001  (the next round may find the outbox well again)
                _log.exception("the outbox cannot be sent", channel=self._round.group)
            if last:
                return
            self._woken.wait(_LOOK_EVERY)
