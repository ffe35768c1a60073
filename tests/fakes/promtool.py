"""Prometheus' own program for looking at metrics, rules and expressions."""

import shutil
from pathlib import Path

import pytest

_FETCHED = Path(__file__).parents[2] / "var" / "promtool" / "promtool"
"""Where scripts/test puts it."""


def promtool() -> str:
    """Tell where it is; skip the test on a machine that cannot have it."""
    found = shutil.which("promtool") or (str(_FETCHED) if _FETCHED.exists() else None)
    if found is None:
        pytest.skip("promtool is not here; scripts/test fetches it on Debian")
    return found
