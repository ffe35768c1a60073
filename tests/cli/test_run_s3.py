"""`backupd run` to a bucket as its user meets it: dead servers, killed programs, late copies."""

import json
import os
import subprocess

import pytest

from conftest import Done, Program
from fakes.bucket import OwnBucket
from fakes.fault_proxy import Fault, FaultProxy, Mishap, Seen, nothing
from fakes.overheard import secret

MEBIBYTE = 1024 * 1024
PART = 8 * MEBIBYTE


@pytest.fixture
def offsite(program: Program, bucket: OwnBucket, proxy: FaultProxy) -> OwnBucket:
    """A second destination, in a bucket behind the proxy."""
    program.keep_in(bucket, proxy.url, PREFIX="backups/")
    program.set(RETRY__DELAY_SECONDS="0")
    return bucket


def keys(bucket: OwnBucket) -> list[str]:
    entries = bucket.client.list_objects_v2(Bucket=bucket.name).get("Contents", [])
    return [entry["Key"] for entry in entries]


def here(program: Program) -> list[str]:
    return sorted(f"backups/{name}" for name in os.listdir(program.backups))


def run(program: Program, *arguments: str) -> tuple[Done, dict[str, object]]:
    done = program("run", "--json", *arguments)
    report: dict[str, object] = json.loads(done.out)
    return done, report


def test_a_backup_is_in_the_bucket_and_is_listed(program: Program, offsite: OwnBucket) -> None:
    done = program("run")
    assert (done.code, done.err) == (0, "")
    assert keys(offsite) == here(program)
    assert [row["count"] for row in json.loads(program("list", "--json").out)] == [1, 1]


def test_the_guide_s_own_names_are_enough(program: Program, bucket: OwnBucket) -> None:
    program.lines = [line for line in program.lines if "DESTINATIONS" not in line]
    program.lines += [
        "AWS_ACCESS_KEY_ID=access",
        f"AWS_SECRET_ACCESS_KEY={secret('bucket')}",
        "AWS_DEFAULT_REGION=us-east-1",
        f"AWS_BUCKET={bucket.name}",
    ]
    program.set()
    environment = {**program.environment, "AWS_ENDPOINT_URL": bucket.url}
    done = subprocess.run(program.command("run"), env=environment, check=False)
    assert done.returncode == 0
    assert len(keys(bucket)) == 2


def test_a_dead_bucket_is_said_to_be_and_gets_what_it_missed_when_it_is_back(
    program: Program, offsite: OwnBucket, proxy: FaultProxy
) -> None:
    proxy.plan(lambda _: Mishap(Fault.REFUSE))
    done = program("run")
    assert done.code == 3
    assert "offsite: 'offsite': the connection to 127.0.0.1" in done.err
    assert "The spool keeps 1 archive (" in done.out
    assert keys(offsite) == []
    waiting = program.state / "shop" / "spool"
    assert len(list(waiting.glob("*.zip"))) == 1

    proxy.plan(nothing)
    done, report = run(program)
    assert (done.code, report["outcome"]) == (0, "succeeded")
    assert len(keys(offsite)) == 4
    assert keys(offsite) == here(program)
    assert list(waiting.iterdir()) == []


def test_only_to_leaves_the_others_out_until_the_next_run(
    program: Program, offsite: OwnBucket
) -> None:
    assert run(program, "--only-to", "here")[0].code == 0
    assert keys(offsite) == []
    assert run(program)[0].code == 0
    assert keys(offsite) == here(program)
    assert len(keys(offsite)) == 4


def part_of(seen: Seen) -> int:
    _, _, number = seen.target.partition("partNumber=")
    return int(number.partition("&")[0] or 0)


def kill_in_mid_upload(program: Program, offsite: OwnBucket, proxy: FaultProxy) -> tuple[str, int]:
    """200 MiB; 12 parts of 8 MiB arrive, and the program dies with 4 more under way.

    Give the archive's name and how many of its bytes are missing.
    """
    (program.root / "big").write_bytes(os.urandom(200 * MEBIBYTE))
    proxy.plan(lambda seen: Mishap(Fault.STALL, MEBIBYTE) if part_of(seen) > 12 else None)
    process = program.start("run")
    stalled = range(13, 17)
    proxy.wait_until(
        lambda: (
            {part_of(seen) for seen in proxy.seen} >= set(stalled)
            and sum(proxy.received.values()) >= 12 * PART
        )
    )
    process.kill()
    program.finish(process)
    assert keys(offsite) == []
    [waiting] = (program.state / "shop" / "spool").glob("*.zip")
    proxy.plan(nothing)
    return waiting.name, waiting.stat().st_size - 12 * PART


def sent(proxy: FaultProxy, offsite: OwnBucket, name: str) -> int:
    """Count the bytes that went to an archive's own key since the proxy's last plan."""
    return proxy.received[f"/{offsite.name}/backups/{name}"]


def test_after_kill_9_in_mid_upload_the_next_run_sends_only_what_is_missing(
    program: Program, offsite: OwnBucket, proxy: FaultProxy
) -> None:
    name, missing = kill_in_mid_upload(program, offsite, proxy)
    done, report = run(program, "--exclude", "big")
    assert (done.code, report["outcome"]) == (0, "succeeded")
    assert missing <= sent(proxy, offsite, name) <= missing + 40 * MEBIBYTE
    assert keys(offsite) == here(program)
    assert_whole(program, offsite, name)


def assert_whole(program: Program, offsite: OwnBucket, name: str) -> None:
    """The bucket holds the archive that the other destination holds, and no part of an upload."""
    held = offsite.client.head_object(Bucket=offsite.name, Key=f"backups/{name}")
    assert held["ContentLength"] == (program.backups / name).stat().st_size
    assert not offsite.client.list_multipart_uploads(Bucket=offsite.name).get("Uploads")


def test_after_kill_9_in_mid_upload_a_daemon_s_start_sends_only_what_is_missing(
    program: Program, offsite: OwnBucket, proxy: FaultProxy
) -> None:
    """No backup is due for months: the delivery is an operation of its own."""
    never = "0 0 31 12 *"
    program.set(SCHEDULE__BACKUP=never, SCHEDULE__CLEAN=never)
    program.set(SCHEDULE__MONITOR=never, SCHEDULE__DRILL=never)
    name, missing = kill_in_mid_upload(program, offsite, proxy)
    process = program.start("daemon")
    try:
        said = read_until(process, "deliver succeeded")
        while not (runs := json.loads(program("status", "--json").out)["runs"]):
            assert process.poll() is None
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert said.count("deliver started") == 1
    assert missing <= sent(proxy, offsite, name) <= missing + 40 * MEBIBYTE
    assert keys(offsite) == here(program) == [f"backups/{name}", f"backups/{name}.sha256"]
    assert_whole(program, offsite, name)
    assert list((program.state / "shop" / "spool").iterdir()) == []
    assert [(each["operation"], each["outcome"]) for each in runs] == [("deliver", "succeeded")]


def read_until(process: "subprocess.Popen[str]", wanted: str) -> str:
    """Read what the process logs, up to the line that says so."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if wanted in line:
            return "".join(lines)
    pytest.fail(f"it never said '{wanted}': {''.join(lines)}")


def test_deliver_brings_what_waits_and_a_dead_bucket_leaves_it_waiting(
    program: Program, offsite: OwnBucket, proxy: FaultProxy
) -> None:
    proxy.plan(lambda _: Mishap(Fault.REFUSE))
    assert program("run").code == 3
    done = program("deliver")
    assert done.code == 1
    assert "Not delivered to offsite: 'offsite': the connection to 127.0.0.1" in done.out
    assert "The spool keeps 1 archive (" in done.out
    proxy.plan(nothing)
    done = program("deliver")
    assert (done.code, done.err) == (0, "")
    assert "Copies made: 1 of 1" in done.out
    assert keys(offsite) == here(program)
    assert program("deliver").out.endswith("No archive is missing anywhere.\n")


def test_sigterm_ends_a_run_whose_server_has_fallen_silent(
    program: Program, offsite: OwnBucket, proxy: FaultProxy
) -> None:
    """No reply will ever come, and no time-out is waited for; the next run delivers."""
    (program.root / "big").write_bytes(os.urandom(20 * MEBIBYTE))
    proxy.plan(lambda seen: Mishap(Fault.STALL, MEBIBYTE) if part_of(seen) else None)
    process = program.start("run")
    proxy.wait_until(lambda: sum(proxy.received.values()) >= MEBIBYTE)
    process.terminate()
    assert program.finish(process, 50).code == 130
    proxy.plan(nothing)
    assert run(program)[0].code == 0
    assert keys(offsite) == here(program)
    assert len(keys(offsite)) == 4
