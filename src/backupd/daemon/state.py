"""What the daemon publishes of itself: a frozen value, its JSON, and its one line for systemd."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any

from pydantic import TypeAdapter

_WHOLE = 100
_SECONDS_A_MINUTE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningOperation:
    """The operation that is at work, and how far it is."""

    operation: str
    due: datetime
    started_at: datetime
    run_id: str = ""
    phase: str = ""
    """As `zipping` or `delivering to offsite`."""
    done: int = 0
    """Bytes of the phase."""
    total: int = 0
    seconds_left: float | None = None
    stalled: bool = False
    """Whether it has shown no progress for longer than it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonState:
    """What `status` asks the daemon for."""

    set_name: str
    version: str
    pid: int
    started_at: datetime
    settings_read_at: datetime
    env_file: str = ""
    reload_mistakes: tuple[str, ...] = ()
    """Why the last reload was refused; empty if it was not."""
    running: RunningOperation | None = None
    waiting: tuple[str, ...] = ()
    """Operations that are due and wait for their turn."""
    blocked_by: str = ""
    """Who holds the backup set's lock, if it is not the daemon's own operation."""
    next_runs: Mapping[str, datetime] = field(default_factory=dict)
    """When each operation starts next, the first one first."""


_ADAPTER = TypeAdapter(DaemonState)


def to_json(state: DaemonState) -> str:
    """Write the state on one line."""
    return json.dumps(asdict(state), default=_text)


def from_json(text: str | bytes) -> DaemonState:
    """Read what `to_json` wrote."""
    return _ADAPTER.validate_json(text)


def _text(value: Any) -> str:  # noqa: ANN401  (json gives whatever it does not know)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def status_line(state: DaemonState, now: datetime, zone: tzinfo) -> str:
    """Say what is being done, how far it is, and what comes next."""
    parts = [_doing(state)]
    if state.reload_mistakes:
        parts.append("the last reload was refused, the settings before it are in force")
    if state.next_runs:
        operation, at = next(iter(state.next_runs.items()))
        parts.append(f"next: {operation} {_when(at, now, zone)}")
    return "; ".join(parts)


def _doing(state: DaemonState) -> str:
    running = state.running
    if running is None:
        if state.waiting:
            why = f" for {state.blocked_by}" if state.blocked_by else ""
            return f"{', '.join(state.waiting)}: waiting{why}"
        return "idle"
    text = f"{running.operation}: {running.phase or 'at work'}"
    if running.stalled:
        return f"{text}, stalled"
    if running.total > 0:
        text += f", {min(running.done * _WHOLE // running.total, _WHOLE)} %"
    if running.seconds_left is not None:
        text += f", {_left(running.seconds_left)} left"
    return text


def _left(seconds: float) -> str:
    minutes = round(seconds / _SECONDS_A_MINUTE)
    if minutes < 1:
        return f"{max(int(seconds), 1)} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _when(at: datetime, now: datetime, zone: tzinfo) -> str:
    soon = at - now < timedelta(days=1)
    return f"{at.astimezone(zone):%H:%M}" if soon else f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
