"""A status as figures for Prometheus, in its text format (0.0.4), as node_exporter reads files."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from backupd import __version__
from backupd.model import Outcome
from backupd.operations.status import Place, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A gauge: its name and what it means."""

    name: str
    help: str


@dataclass(slots=True)
class _Page:
    """The samples so far, by metric."""

    set_name: str
    samples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, value: float, **labels: str) -> None:
        pairs = {"set": self.set_name, **labels}
        text = ",".join(f'{key}="{_escaped(each)}"' for key, each in pairs.items())
        number = f"{value:.3f}".rstrip("0").rstrip(".")
        self.samples.setdefault(name, []).append(f"{name}{{{text}}} {number}")


METRICS = (
    Metric(name="backupd_build_info", help="The version of backupd; always 1."),
    Metric(
        name="backupd_last_run_timestamp_seconds",
        help="When the operation last ended, however it came out.",
    ),
    Metric(name="backupd_last_run_success", help="Whether it succeeded in full."),
    Metric(name="backupd_last_run_duration_seconds", help="How long it took."),
    Metric(
        name="backupd_last_success_timestamp_seconds",
        help="When the operation last succeeded in full.",
    ),
    Metric(name="backupd_last_backup_bytes", help="Size of the last archive."),
    Metric(name="backupd_last_backup_content_bytes", help="Plain size of all its members."),
    Metric(name="backupd_last_backup_members", help="Files, directories, links and dumps in it."),
    Metric(
        name="backupd_last_backup_carried_members",
        help="Members taken over from the archive before, unread.",
    ),
    Metric(
        name="backupd_destination_newest_backup_timestamp_seconds",
        help="When the destination last confirmed to hold a new archive.",
    ),
    Metric(
        name="backupd_destination_reachable",
        help="Whether it answered when its health was last checked.",
    ),
    Metric(name="backupd_destination_healthy", help="Whether nothing at all was wrong then."),
    Metric(name="backupd_destination_backups", help="How many backups it held then."),
    Metric(name="backupd_destination_bytes", help="What they held together."),
    Metric(
        name="backupd_destination_verified_timestamp_seconds",
        help="When a backup there was last read back and found good.",
    ),
    Metric(name="backupd_problems", help="Problems that are known and not over."),
    Metric(name="backupd_outbox_messages", help="Messages that nobody has got yet."),
)
"""Every metric there is; `docs/reference/metrics.md` has the same."""


def metrics_text(status: Status) -> str:
    """Write the figures; what is not known has no sample."""
    page = _Page(status.set_name)
    page.add("backupd_build_info", 1, version=__version__)
    _add_runs(page, status)
    for place in status.destinations:
        _add_place(page, place)
    page.add("backupd_problems", len(status.problems))
    page.add("backupd_outbox_messages", len(status.waiting))
    return "".join(_lines(page))


def _lines(page: _Page) -> Iterator[str]:
    for metric in METRICS:
        if samples := page.samples.get(metric.name):
            yield f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} gauge\n"
            yield from (f"{sample}\n" for sample in samples)


def _add_runs(page: _Page, status: Status) -> None:
    for state in status.operations:
        name, last = state.operation, state.last
        if last is not None:
            took = (last.ended_at - last.started_at).total_seconds()
            good = last.outcome is Outcome.SUCCEEDED
            page.add(
                "backupd_last_run_timestamp_seconds", last.ended_at.timestamp(), operation=name
            )
            page.add("backupd_last_run_success", good, operation=name)
            page.add("backupd_last_run_duration_seconds", took, operation=name)
        if state.last_success is not None:
            when = state.last_success.ended_at.timestamp()
            page.add("backupd_last_success_timestamp_seconds", when, operation=name)
    built = next((run for run in status.runs if "backup" in run.facts), None)
    for key in ("bytes", "content_bytes", "members", "carried_members") if built else ():
        value = built.facts.get(key) if built else None
        if isinstance(value, int | float):
            page.add(f"backupd_last_backup_{key}", value)


def _add_place(page: _Page, place: Place) -> None:
    name, seen = place.destination, place.seen
    if place.newest is not None:
        when = place.newest.at.timestamp()
        page.add("backupd_destination_newest_backup_timestamp_seconds", when, destination=name)
    if seen is not None:
        page.add("backupd_destination_reachable", seen.reachable, destination=name)
        page.add("backupd_destination_healthy", seen.healthy, destination=name)
        if seen.reachable:
            page.add("backupd_destination_backups", seen.count, destination=name)
            page.add("backupd_destination_bytes", seen.bytes, destination=name)
    if place.verified_at is not None:
        when = place.verified_at.timestamp()
        page.add("backupd_destination_verified_timestamp_seconds", when, destination=name)


def _escaped(text: str) -> str:
    """Escape a label's value (prometheus.io/docs/instrumenting/exposition_formats)."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
