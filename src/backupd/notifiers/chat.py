"""Slack and Discord, by the webhooks that they give out for a channel."""

import json
from dataclasses import dataclass, field

from backupd.message import Message
from backupd.notifiers.http import post

_GREEN = "#2f8f5b"
_RED = "#cf3c3c"
_SLACK_TEXT = 2900
_DISCORD_TEXT = 4000
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """Posts an attachment with a coloured edge (docs.slack.dev, incoming webhooks)."""

    webhook_url: str = field(repr=False)

    def send(self, message: Message) -> None:
        """Post the message's text."""
        text = _slack_escaped(_shortened(message.text, _SLACK_TEXT))
        block = {"type": "section", "text": {"type": "mrkdwn", "text": f"```{text}```"}}
        body = {
            "text": _slack_escaped(message.subject),
            "attachments": [{"color": _GREEN if message.good else _RED, "blocks": [block]}],
        }
        post(self.webhook_url, json.dumps(body).encode(), _JSON, channel="slack")


@dataclass(frozen=True, slots=True, kw_only=True)
class Discord:
    """Posts an embed with a coloured edge (discord.com/developers, execute webhook)."""

    webhook_url: str = field(repr=False)

    def send(self, message: Message) -> None:
        """Post the message's text; nobody is called by name."""
        embed = {
            "title": message.subject[:256],
            "description": f"```\n{_shortened(message.text, _DISCORD_TEXT)}\n```",
            "color": int((_GREEN if message.good else _RED)[1:], 16),
            "timestamp": message.at.isoformat(),
        }
        body = {"embeds": [embed], "allowed_mentions": {"parse": []}}
        post(self.webhook_url, json.dumps(body).encode(), _JSON, channel="discord")


def _shortened(text: str, most: int) -> str:
    """Cut a text to what a chat takes, and keep it from ending its own code block."""
    text = text.strip().replace("```", "'''")
    return text if len(text) <= most else text[: most - 2] + "\n…"


def _slack_escaped(text: str) -> str:
    """Escape what Slack reads as markup (docs.slack.dev, formatting message text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
