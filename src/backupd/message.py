"""What is brought to people: a frozen value, as those of `model` are."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel brings to people, ready for every kind of channel."""

    id: str
    """The same at every attempt, so that a receiver can tell a repetition."""
    event: str
    """What happened: `backup_failed`, `recovered`, … (`docs/reference/notifications.md`)."""
    good: bool
    """Whether it is good news."""
    at: datetime
    set_name: str
    host: str
    run_id: str = ""
    subject: str
    text: str
    html: str = ""
    picture: str = ""
    """A PNG in base64, which the HTML refers to as `cid:picture`."""
    facts: str = "{}"
    """The same for programs: a JSON object."""
