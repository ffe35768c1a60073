"""Settings handed to a child process in memory: what was read once is not read again."""

import json
import os
from collections.abc import Mapping

from backupd.settings.environment import Found

VARIABLE = "BACKUPD_SETTINGS_FD"
"""Names the inherited file in the process environment of an operation."""

_CHUNK = 1024 * 1024


def hand_over(values: Mapping[str, Found]) -> int:
    """Write the values to a file that only exists in memory; the caller closes its descriptor.

    So no secret is on a disk, in a command line or in an environment.
    """
    descriptor = os.memfd_create("backupd-settings", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(
            json.dumps({name: [each.text, each.origin] for name, each in values.items()}).encode()
        )
    return descriptor


def taken_over(descriptor: int) -> dict[str, Found]:
    """Read what `hand_over` wrote, from its beginning."""
    content, chunk = b"", b"x"
    while chunk:
        chunk = os.pread(descriptor, _CHUNK, len(content))
        content += chunk
    return {
        name: Found(text=text, origin=origin)
        for name, (text, origin) in json.loads(content).items()
    }
