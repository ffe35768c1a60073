"""A dead man's ping: says that a backup began and how it ended, because a dead host cannot."""

import uuid
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from backupd.message import Message
from backupd.notifiers.http import post

START = "ping_start"
SUCCESS = "ping_success"
FAIL = "ping_fail"
_SUFFIX = {START: "/start", SUCCESS: "", FAIL: "/fail"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Calls `url/start`, `url` and `url/fail`, as Healthchecks understands them.

    A run's id goes along as `rid`, a UUID (healthchecks.io/docs/measuring_script_run_time), and
    the message's text as the body.
    """

    url: str = field(repr=False)

    def send(self, message: Message) -> None:
        """Call the address that belongs to the event."""
        parts = urlsplit(self.url)
        run = uuid.uuid5(uuid.NAMESPACE_URL, f"{message.host}/{message.set_name}/{message.run_id}")
        query = f"{parts.query}&rid={run}" if parts.query else f"rid={run}"
        path = parts.path.rstrip("/") + _SUFFIX.get(message.event, "/log")
        url = urlunsplit(parts._replace(path=path, query=query))
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        post(url, message.text.encode(), headers, channel="ping")
