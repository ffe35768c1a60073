"""A Debian that is really booted, with backupd installed from its package.

BACKUPD_TEST_RELEASES names the releases to test, as "bookworm trixie".
"""

import os
from collections.abc import Iterator

import pytest

from fakes.booted import boot, why_not
from fakes.machine import INSTALL, Machine
from fakes.overheard import MARK

RELEASES = os.environ.get("BACKUPD_TEST_RELEASES", "bookworm").split()


@pytest.fixture(scope="module", params=RELEASES)
def booted(request: pytest.FixtureRequest) -> Iterator[Machine]:
    if reason := why_not():
        pytest.skip(reason)
    with boot(str(request.param)) as machine:
        yield machine


@pytest.fixture(scope="module")
def installed(booted: Machine) -> Machine:
    booted.must("mkdir -p /srv/shop && echo content >/srv/shop/file && chmod 600 /srv/shop/file")
    booted.must(f"{INSTALL} {booted.package} 2>&1")
    return booted


@pytest.fixture
def machine(installed: Machine) -> Iterator[Machine]:
    """Give the machine as it is after an install: no state, no drop-ins, an empty journal.

    In the end nothing in the journal, systemd's status or the state shows a secret.
    """
    installed.must(
        "systemctl stop backupd; systemctl reset-failed backupd; "
        "rm -rf /etc/systemd/system/backupd.service.d /var/lib/backupd/* /srv/shop/big; "
        "systemctl daemon-reload; journalctl --rotate --vacuum-time=1s >/dev/null 2>&1; true"
    )
    yield installed
    said = "(journalctl --no-pager -o export; systemctl show backupd)"
    assert installed(f"{said} | grep -aF {MARK}").out == ""
    assert installed(f"grep -rlF {MARK} /var/lib/backupd /run/backupd").out == ""
