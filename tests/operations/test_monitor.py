from datetime import UTC, datetime, timedelta
from pathlib import Path

from backupd.catalog import Catalog
from backupd.destinations.local import LocalDirectory
from backupd.health import Check, Health, Limits
from backupd.model import Outcome
from backupd.operations.monitor import Monitor, Watched
from backupd.operations.survey import survey
from backupd.ports import Destination, Gauges
from backupd.retention import Policy
from fakes.clock import WoundClock
from fakes.destinations import FailingDestination, MemoryDestination
from fakes.listening import deaf
from fakes.nights import put_nightly

CLOCK = WoundClock()
NOW = CLOCK.now()


def catalog(destination: Destination, set_name: str = "shop") -> Catalog:
    return Catalog(destination=destination, set_name=set_name, zone=UTC)


def monitor(*watched: Watched) -> list[Health]:
    report = Monitor(watched=watched, limits=Limits(), clock=CLOCK).run(deaf)
    return list(report.healths)


def checks(health: Health) -> list[Check]:
    return [finding.check for finding in health.findings]


def test_every_destination_is_looked_at_though_one_is_down() -> None:
    memory = MemoryDestination()
    put_nightly(memory, NOW, 3)
    down = FailingDestination(MemoryDestination("down"))
    watched = [Watched(catalog=catalog(down)), Watched(catalog=catalog(memory))]
    report = Monitor(watched=watched, limits=Limits(), clock=CLOCK).run(deaf)
    assert report.outcome is Outcome.FAILED
    assert [health.healthy for health in report.healths] == [False, True]
    assert checks(report.healths[0]) == [Check.REACHABLE]


def test_other_sets_at_the_same_destination_are_watched_by_their_names() -> None:
    memory = MemoryDestination()
    put_nightly(memory, NOW, 3)
    put_nightly(memory, NOW - timedelta(days=3), 3, set_name="shop-eu")
    own, other = monitor(
        Watched(catalog=catalog(memory)), Watched(catalog=catalog(memory, "shop-eu"))
    )
    assert own.healthy
    assert (other.set_name, checks(other)) == ("shop-eu", [Check.AGE])


def test_what_a_destination_tells_of_itself_is_examined() -> None:
    memory = MemoryDestination()
    put_nightly(memory, NOW, 3)
    asked = []

    def gauge(before: datetime) -> Gauges:
        asked.append(before)
        return Gauges(free_bytes=1, clock_ahead=timedelta(hours=1), leftovers=("left",))

    (health,) = monitor(Watched(catalog=catalog(memory), gauge=gauge))
    assert set(checks(health)) == {Check.FREE_SPACE, Check.CLOCK, Check.LEFTOVERS}
    assert asked == [NOW - timedelta(days=1)]


def test_an_archive_in_the_spool_is_undelivered_only_while_it_is_not_there() -> None:
    memory = MemoryDestination()
    keys = put_nightly(memory, NOW, 3)
    missing = "shop-2025-11-01-00-00-00.zip"
    (health,) = monitor(Watched(catalog=catalog(memory), spooled=(keys[0], missing)))
    (finding,) = health.findings
    assert finding.check is Check.UNDELIVERED
    assert missing in finding.message
    assert keys[0] not in finding.message


def test_a_local_directory_tells_free_space_and_leftovers(tmp_path: Path) -> None:
    local = LocalDirectory(name="local", path=tmp_path, owns=lambda key: key == "shop.zip")
    left = tmp_path / ".shop.zip.00000000.partial"
    left.touch()
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert local.gauges(later).leftovers == (left.name,)
    assert local.gauges(later - timedelta(days=1)).leftovers == ()
    assert (local.gauges(later).free_bytes or 0) > 0


def test_a_local_directory_that_is_not_there_yet_tells_its_file_systems_space(
    tmp_path: Path,
) -> None:
    local = LocalDirectory(name="local", path=tmp_path / "not" / "yet")
    assert local.gauges(NOW).free_bytes


def test_a_survey_tells_health_and_plan_of_the_same_listing() -> None:
    memory = MemoryDestination()
    put_nightly(memory, NOW, 3)
    once = FailingDestination(memory, at=2)
    seen = survey(Watched(catalog=catalog(once)), Limits(), Policy(zone=UTC), NOW)
    assert seen.health.healthy
    assert len(seen.plan.kept) == 3
