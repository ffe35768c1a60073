"""What the unit forbids hinders none of the daemon's work."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from signal import SIGINT
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import pytest

from external.databases.servers import RunningServer, start_postgresql
from fakes.bucket import OwnBucket
from fakes.machine import Machine
from fakes.moto_server import MotoServer
from fakes.overheard import secret

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "systemd.md"

pytestmark = pytest.mark.timeout(900)  # the first test makes the root folder and the package


def take_backup(machine: Machine, **settings: str) -> None:
    """Have the daemon take a backup that is owed, with nothing of a test's in its process."""
    now = datetime.now(UTC)
    never = {f"SCHEDULE__{name}": "0 0 1 1 *" for name in ("CLEAN", "MONITOR", "DRILL")}
    machine.set(SCHEDULE__BACKUP=f"{now - timedelta(hours=2):%H:%M}", **never, **settings)
    machine.must("systemctl start backupd && systemctl stop backupd")
    off_since = f"UPDATE lines SET since = '{(now - timedelta(hours=3)).isoformat()}'"  # noqa: S608  (a time)
    sql(machine, off_since, "/var/lib/backupd/shop/diary.sqlite")
    machine.must("systemctl start backupd")
    ended = re.compile("backup (succeeded|partial|failed)")
    machine.until(lambda: bool(ended.search(str(machine.messages()))))
    assert "backup succeeded" in str(machine.messages())


def sql(machine: Machine, statement: str, database: str = "/srv/shop/app.sqlite") -> None:
    """Run a statement in an SQLite database, the application's for one."""
    program = (
        f"import sqlite3, sys; database = sqlite3.connect('{database}');"
        "database.execute(sys.argv[1]); database.commit()"
    )
    machine.must(f'python3 -c "{program}" "{statement}"')


def test_a_large_encrypted_backup_with_hidden_names(machine: Machine) -> None:
    """200 MB, by several workers where there are several processors."""
    machine.must(
        "mkdir /srv/shop/big && cd /srv/shop/big && "
        "for each in $(seq 50); do head -c 4M /dev/urandom >$each; done"
    )
    take_backup(machine, ARCHIVE_PASSWORD=secret("archive"), ENCRYPTION__HIDE_NAMES="yes")
    machine.must("systemctl stop backupd")
    assert "good (54 members" in machine.must("backupd verify latest")
    machine.must("rm -r /srv/shop/big")


@pytest.fixture
def database() -> Iterator[RunningServer]:
    """Start a server outside of the machine, which has its loopback in common with this one."""
    with TemporaryDirectory(prefix="srv", dir="/tmp") as folder:  # short, for its socket
        Path(folder).chmod(0o755)
        server = start_postgresql(Path(folder))
        server.sql("CREATE DATABASE app;")
        server.sql("CREATE TABLE t (x text); INSERT INTO t VALUES ('in the dump');", "app")
        server.sql(f"CREATE USER backup PASSWORD '{secret('database')}' SUPERUSER;")
        yield server
        server.stop(SIGINT)


def test_a_dump_of_a_server_is_delivered_to_a_bucket(
    machine: Machine, moto: MotoServer, database: RunningServer
) -> None:
    bucket = OwnBucket(url=moto.url, secret_access_key=secret("bucket"))
    take_backup(
        machine,
        DATABASES__MAIN__URL=database.url("app", "backup", secret("database")),
        DATABASES__MAIN__FORMAT="plain",
        DESTINATIONS__OFFSITE__TYPE="s3",
        DESTINATIONS__OFFSITE__BUCKET=bucket.name,
        DESTINATIONS__OFFSITE__ENDPOINT_URL=bucket.url,
        DESTINATIONS__OFFSITE__REGION="us-east-1",
        DESTINATIONS__OFFSITE__ADDRESSING_STYLE="path",
        AWS_ACCESS_KEY_ID=bucket.access_key_id,
        AWS_SECRET_ACCESS_KEY=bucket.secret_access_key,
    )
    entries = bucket.client.list_objects_v2(Bucket=bucket.name)["Contents"]
    (key,) = [entry["Key"] for entry in entries if entry["Key"].endswith(".zip")]
    content = bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()
    with ZipFile(BytesIO(content)) as archive:
        (dump,) = [name for name in archive.namelist() if name.startswith("db-dumps/")]
        assert b"in the dump" in archive.read(dump)


def documented_drop_in() -> str:
    _, _, section = REFERENCE.read_text().partition("## Restore in place")
    found = re.search(r"```ini\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


def test_the_documented_drop_in_restores_in_place(machine: Machine) -> None:
    """Owners, a setgid bit and an SQLite database come back, and the daemon goes on meanwhile."""
    machine.must("cd /srv/shop && echo theirs >theirs && chown www-data:www-data theirs")
    machine.must("chmod 2750 /srv/shop/theirs")
    sql(machine, "CREATE TABLE t (x)")
    machine.set(DATABASES__MAIN__URL="sqlite:////srv/shop/app.sqlite")
    machine.must("systemctl start backupd && backupd run")
    machine.must("cd /srv/shop && rm theirs && echo spoilt >app.sqlite && echo changed >file")
    folder = "/etc/systemd/system/backupd@restore.service.d"
    machine.write(f"{folder}/in-place.conf", documented_drop_in(), "644")
    machine.must("systemctl daemon-reload && systemctl start backupd@restore")
    assert machine.must("stat -c '%U:%G %a' /srv/shop/theirs") == "www-data:www-data 2750"
    assert machine.must("cat /srv/shop/theirs /srv/shop/file") == "theirs\ncontent"
    sql(machine, "SELECT x FROM t")
    assert machine.must("ls -A /srv/shop") == "app.sqlite\nfile\ntheirs"
    assert machine.must("find /var/lib/backupd /run/backupd ! -user backupd") == ""
    machine.must("systemctl is-active backupd && backupd status")
    machine.must(f"rm -r {folder} /srv/shop/theirs /srv/shop/app.sqlite")
