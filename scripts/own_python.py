"""Imported first by a script: it goes on in the project's own Python, with what tests share."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_PYTHON = ROOT / ".venv/bin/python"
if Path(sys.prefix) != ROOT / ".venv":
    os.execv(_PYTHON, [str(_PYTHON), *sys.argv])  # noqa: S606  (our own)
sys.path[:0] = [str(ROOT / "tests")]
