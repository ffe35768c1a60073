"""A generic webhook: the message as JSON, signed if there is a secret."""

import hashlib
import hmac
from dataclasses import dataclass, field

from backupd.message import Message
from backupd.notifiers.http import post


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Posts JSON (`docs/reference/webhook.md`).

    With a secret, `X-Backupd-Signature: sha256=…` is the hexadecimal HMAC-SHA-256 of the body.
    """

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)

    def send(self, message: Message) -> None:
        """Post the message's facts."""
        body = message.facts.encode()
        headers = {
            "Content-Type": "application/json",
            "X-Backupd-Event": message.event,
            "Idempotency-Key": message.id,
        }
        if self.secret is not None:
            digest = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
            headers["X-Backupd-Signature"] = f"sha256={digest}"
        post(self.url, body, headers, channel="webhook")
