"""systemctl, journalctl and the daemon, as their user meets them on a real systemd."""

import re
import time

import pytest

from fakes.machine import INSTALL, Machine, offset_to
from fakes.overheard import secret

SECRET = secret("archive")
OTHERS_NEVER = dict.fromkeys(
    ("SCHEDULE__CLEAN", "SCHEDULE__MONITOR", "SCHEDULE__DRILL"), "0 0 29 2 *"
)
"""So that the next operation is a backup, whatever the time of the day is."""

pytestmark = pytest.mark.timeout(900)  # the first test makes the root folder and the package


def make_long(machine: Machine) -> None:
    """Give the application a file that takes a while and no space."""
    machine.must("truncate -s 40G /srv/shop/big")


def until_zipping(machine: Machine) -> int:
    """Wait until a backup is in the middle of its work; return its process."""
    machine.until(lambda: "backup: zipping, " in machine.show("StatusText"))
    machine.until(lambda: machine("find /var/lib/backupd -name '*.partial'").out != "")
    return machine.operation()


def test_the_package_starts_nothing_by_itself(machine: Machine) -> None:
    assert machine("systemctl is-enabled backupd").out.strip() == "disabled"
    assert machine("systemctl is-active backupd").out.strip() == "inactive"
    assert machine.must("stat -c '%a %U' /etc/backupd/backupd.env") == "600 root"
    assert "backupd " in machine.must("backupd --version").replace(",", " ")


def test_the_unit_is_hardened(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    for unit in ("backupd.service", "backupd@shop.service"):
        last = machine.must(f"systemd-analyze security --no-pager {unit}").splitlines()[-1]
        with capsys.disabled():
            print(f"\n{machine.release}: {last.strip()}")  # noqa: T201  (asked for in the output)
        found = re.search(r": (\d+\.\d) ", last)
        assert found
        assert float(found[1]) <= 2.0
    said = machine("systemd-analyze verify backupd.service backupd@shop.service").err
    assert [line for line in said.splitlines() if "man backupd(1)" not in line] == []


def test_start_returns_when_it_is_ready(machine: Machine) -> None:
    machine.set(**OTHERS_NEVER)
    began = time.monotonic()
    machine.must("systemctl start backupd")
    took = time.monotonic() - began
    assert machine.must("systemctl is-active backupd") == "active"
    machine.until(lambda: machine.show("StatusText") == "idle; next: backup 01:00")
    assert "Daemon: idle; next: backup 01:00" in machine.must("backupd status")
    assert took < 20  # under 2 s on a machine that does nothing else


def test_the_schedule_takes_a_real_backup_and_the_journal_has_its_fields(
    machine: Machine,
) -> None:
    machine.set(ARCHIVE_PASSWORD=SECRET)
    machine.move_clock(offset_to(0, 59, 50))
    machine.must("systemctl start backupd")
    machine.until(lambda: "backup succeeded" in str(machine.messages()))
    (name,) = machine.backups()
    ended = next(each for each in machine.journal() if "backup succeeded" in each["MESSAGE"])
    assert ended["BACKUPD_OPERATION"] == "backup"
    assert ended["BACKUPD_BACKUP"] == name
    assert ended["BACKUPD_RUN_ID"]
    assert ended["PRIORITY"] == "6"
    assert ended["SYSLOG_IDENTIFIER"] == "backupd"
    delivered = next(each for each in machine.journal() if "BACKUPD_DESTINATION" in each)
    assert delivered["BACKUPD_DESTINATION"] == "local"
    assert len(machine.messages()) < 20  # no progress spam
    assert SECRET not in machine("journalctl --no-pager -o export").out


def test_a_good_reload_takes_the_new_settings(machine: Machine) -> None:
    machine.set(**OTHERS_NEVER)
    machine.must("systemctl start backupd")
    pid = machine.show("MainPID")
    machine.set(SCHEDULE__BACKUP="00:45", ARCHIVE_PASSWORD=SECRET, **OTHERS_NEVER)
    machine.must("systemctl reload backupd")
    machine.until(lambda: machine.show("StatusText") == "idle; next: backup 00:45")
    assert machine.show("MainPID") == pid
    said = "\n".join(machine.messages())
    assert "BACKUP_SCHEDULE__BACKUP: 01:00 → 00:45" in said
    assert SECRET not in said


def test_a_bad_reload_fails_and_changes_nothing(machine: Machine) -> None:
    machine.set(**OTHERS_NEVER)
    machine.must("systemctl start backupd")
    pid = machine.show("MainPID")
    machine.set(SCHEDULE__BACKUP="25:00", **OTHERS_NEVER)
    assert machine("systemctl reload backupd").code != 0
    assert machine.must("systemctl is-active backupd") == "active"
    assert machine.show("MainPID") == pid
    machine.until(lambda: "reload was refused" in machine.show("StatusText"))
    assert "next: backup 01:00" in machine.show("StatusText")
    assert "BACKUP_SCHEDULE__BACKUP (/etc/backupd/backupd.env, line 4)" in str(machine.messages())
    machine.set(**OTHERS_NEVER)
    machine.must("systemctl reload backupd")
    machine.until(lambda: machine.show("StatusText") == "idle; next: backup 01:00")


def test_wrong_settings_at_start_end_with_78_and_no_loop(machine: Machine) -> None:
    machine.set(SCHEDULE__BACKUP="25:00")
    assert machine("systemctl start backupd").code != 0
    assert machine.show("ExecMainStatus") == "78"
    machine.until(lambda: machine.show("ActiveState") == "failed")
    assert machine.show("NRestarts") == "0"
    assert "'25:00' is not allowed" in str(machine.messages())


def test_a_daemon_that_was_not_told_what_to_back_up_does_not_start(machine: Machine) -> None:
    """The package's own env file, as nobody has edited it."""
    machine.must("backupd config example >/etc/backupd/backupd.env")
    assert machine("systemctl start backupd").code != 0
    assert machine.show("ExecMainStatus") == "78"
    assert "BACKUP_SOURCE__ROOT" in str(machine.messages())


def test_a_reload_during_a_backup_lets_it_finish(machine: Machine) -> None:
    machine.set()
    make_long(machine)
    machine.start_with_backup_due()
    pid = until_zipping(machine)
    machine.set(SCHEDULE__CLEAN="05:00")
    machine.must("systemctl reload backupd")
    assert machine.operation() == pid
    machine.must("systemctl stop backupd")


def test_stop_in_mid_backup_leaves_nothing_partial_and_the_next_start_takes_one(
    machine: Machine,
) -> None:
    machine.set()
    make_long(machine)
    machine.start_with_backup_due()
    until_zipping(machine)
    began = time.monotonic()
    machine.must("systemctl stop backupd")
    assert time.monotonic() - began < 15
    assert machine.show("Result") == "success"
    assert machine.backups() == []
    assert machine.must("find /var/lib/backupd/shop/spool -name '*.zip*'") == ""
    machine.must("rm /srv/shop/big")
    machine.must("systemctl start backupd")
    machine.until(lambda: "backup succeeded" in str(machine.messages()))
    machine.must("systemctl restart backupd")
    machine.until(lambda: machine.show("StatusText").startswith("idle"))
    assert len(machine.backups()) == 1


def test_kill_9_in_mid_backup_is_one_backup_afterwards(machine: Machine) -> None:
    machine.set()
    make_long(machine)
    machine.start_with_backup_due("RestartSec=1")
    operation = until_zipping(machine)
    machine.must(f"rm /srv/shop/big; kill -KILL {machine.show('MainPID')} {operation}")
    machine.until(lambda: len(machine.backups()) == 1)
    machine.until(lambda: machine.show("StatusText").startswith("idle"))
    assert len(machine.backups()) == 1
    assert machine.show("NRestarts") == "1"
    said = str(machine.messages())
    assert "died together with the daemon" in said
    assert "swept what a dead run left" in said


def test_a_host_off_from_0050_to_0800_takes_one_backup(machine: Machine) -> None:
    machine.set()
    night, morning = offset_to(0, 49, 50), offset_to(8, 0)
    machine.move_clock(night)
    machine.must("systemctl start backupd")
    machine.must("systemctl stop backupd")
    machine.move_clock(morning)
    machine.must("systemctl start backupd")
    machine.until(lambda: len(machine.backups()) == 1)
    machine.until(lambda: machine.show("StatusText").startswith("idle"))
    assert len(machine.backups()) == 1
    started = [each for each in machine.messages() if each.startswith("backup is due")]
    assert len(started) == 1
    assert "late_by_minutes=4" in started[0]  # 420 and some


def test_a_stalled_operation_makes_systemd_restart_the_daemon_which_catches_up(
    machine: Machine,
) -> None:
    """What is left is swept, unless the operation itself, woken to be ended, cleaned it up."""
    machine.set(SCHEDULE__STALL_SECONDS="3")
    make_long(machine)
    machine.start_with_backup_due("WatchdogSec=3", "RestartSec=1")
    machine.must(f"kill -STOP {until_zipping(machine)}; rm /srv/shop/big")
    machine.until(lambda: machine.show("NRestarts") == "1")
    machine.until(lambda: len(machine.backups()) == 1)
    said = str(machine.messages())
    assert "backup has stalled" in said
    assert "Watchdog timeout" in said
    # Its checksum comes after it; what the stalled one left would stay.
    machine.until(lambda: machine("find /var/lib/backupd -name '*.partial'").out == "")


def test_a_healthy_operation_outlives_many_watchdogs(machine: Machine) -> None:
    """Six times the watchdog's limit, and three times the stall limit."""
    machine.set(SCHEDULE__STALL_SECONDS="4")
    make_long(machine)
    machine.start_with_backup_due("WatchdogSec=2")
    pid = until_zipping(machine)
    deadline = time.monotonic() + 12
    while time.monotonic() < deadline and machine.operation() == pid:
        time.sleep(0.5)
    assert machine.show("NRestarts") == "0"
    assert machine.show("ActiveState") == "active"


def test_it_reads_what_only_others_may_read_and_writes_nowhere_else(machine: Machine) -> None:
    machine.must("install -m 600 -o www-data -g www-data /dev/null /srv/shop/theirs")
    machine.set(
        DESTINATIONS__OUT__TYPE="local",
        DESTINATIONS__OUT__PATH="/srv/backups",
        DESTINATIONS__HERE__TYPE="local",
        DESTINATIONS__HERE__PATH="/var/lib/backupd/backups",
    )
    machine.start_with_backup_due()
    machine.until(lambda: "backup partial" in str(machine.messages()))
    (name,) = machine.backups()
    listed = machine.must(f"python3 -m zipfile -l /var/lib/backupd/backups/{name}")
    assert "theirs" in listed
    assert machine("ls /srv/backups").code != 0
    machine.must("rm /srv/shop/theirs")


def test_a_backup_by_hand_as_root_is_no_obstacle(machine: Machine) -> None:
    """The first thing that admins do, before the daemon has made anything."""
    machine.set(SCHEDULE__BACKUP="01:00")
    machine.must("backupd run")
    assert machine.must("find /var/lib/backupd ! -user backupd ! -name '*.zip*'") == ""
    machine.start_with_backup_due()
    machine.until(lambda: len(machine.backups()) == 2)
    assert machine.must("backupd list --json")


def test_an_instance_looks_after_a_set_of_its_own(machine: Machine) -> None:
    machine.set()
    machine.write("/etc/backupd/blog.env", "BACKUP_NAME=blog\nBACKUP_SOURCE__ROOT=/srv/shop\n")
    machine.must("systemctl start backupd backupd@blog")
    machine.must("systemctl reload backupd@blog")
    machine.must("systemctl stop backupd")
    assert machine.must("systemctl is-active backupd@blog") == "active"
    machine.must("systemctl reload backupd@blog && systemctl stop backupd@blog")
    machine.must("rm /etc/backupd/blog.env")


def test_an_idle_daemon_is_small(machine: Machine) -> None:
    machine.set()
    machine.must("systemctl start backupd")
    machine.until(lambda: machine.show("StatusText").startswith("idle"))
    status = machine.must(f"cat /proc/{machine.show('MainPID')}/status")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    assert int(found[1]) < 60 * 1024


def test_manual_page_and_completions_are_there(machine: Machine) -> None:
    for path in (
        "man/man1/backupd.1.gz",
        "bash-completion/completions/backupd",
        "zsh/vendor-completions/_backupd",
        "fish/vendor_completions.d/backupd.fish",
    ):
        machine.must(f"test -s /usr/share/{path}")


def test_upgrade_remove_and_purge(machine: Machine) -> None:
    """An upgrade keeps settings and state; purge leaves backups alone and nothing else."""
    machine.set()
    machine.start_with_backup_due()
    machine.until(lambda: len(machine.backups()) == 1)
    machine.until(lambda: machine.show("StatusText").startswith("idle"))
    pid = machine.show("MainPID")
    machine.must(f"{INSTALL} --reinstall {machine.package} 2>&1")
    machine.until(lambda: machine.show("MainPID") not in {pid, "0"})
    assert "BACKUP_NAME=shop" in machine.must("cat /etc/backupd/backupd.env")
    machine.must("test -s /var/lib/backupd/shop/history.sqlite")
    machine.must("apt-get remove -y backupd 2>&1")
    machine.must("test -e /etc/backupd/backupd.env && test -e /var/lib/backupd/shop")
    assert machine("test -e /opt/backupd").code != 0
    assert machine("systemctl is-active backupd").out.strip() == "inactive"
    machine.must("apt-get purge -y backupd 2>&1")
    left = machine.must(
        "find /etc/backupd /var/lib/backupd /run/backupd /opt/backupd 2>/dev/null; true"
    )
    (archive, checksum) = sorted(each for each in left.split() if ".zip" in each)
    assert checksum == f"{archive}.sha256"
    assert set(left.split()) - {archive, checksum} == {
        "/var/lib/backupd",
        "/var/lib/backupd/backups",
    }
    machine.must("id backupd")  # whoever owns them keeps a name
    machine.must(f"{INSTALL} {machine.package} 2>&1")
