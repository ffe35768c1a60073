"""Runs commands in turn and measures each: wall and processor time, memory, size of the result."""

import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Contestant:
    """One way to do the work; `{out}` in its command is a fresh path for the result."""

    name: str
    command: str
    prepare: Callable[[], None] = lambda: None
    keep_output: bool = False
    """Whether the result stands there already, and stays."""
    rounds: int = 99
    """The most rounds that it is worth waiting for."""
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    size: int = 0
    memory: int = 0
    """Peak of the proportional set size of all its processes, in bytes."""


def run_in_turn(contestants: Sequence[Contestant], out: Path, rounds: int, reads: Path) -> None:
    """Run all, `rounds` times, one after the other: A B C A B C.

    What they read is in the kernel's cache each time: a virtual machine may lose it in between.
    """
    for number in range(rounds):
        for contestant in contestants:
            if number < contestant.rounds:
                _run(contestant, out, reads, watch_memory=False)
    for contestant in contestants:
        if contestant.name.startswith("backupd"):
            _run(contestant, out, reads, watch_memory=True)


def _run(contestant: Contestant, out: Path, reads: Path, *, watch_memory: bool) -> None:
    contestant.prepare()
    if not contestant.keep_output:
        _remove(out)
    os.sync()
    everything = ["find", reads, "-type", "f", "-exec", "cat", "{}", "+"]
    subprocess.run(everything, check=True, stdout=subprocess.DEVNULL)
    command = contestant.command.format(out=out)
    start = time.perf_counter()
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"exec {command}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    if watch_memory:
        contestant.memory = _peak_memory(process)
        return
    error = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed:\n{error.decode()[-2000:]}")
    contestant.wall.append(time.perf_counter() - start)
    contestant.processor.append(usage.ru_utime + usage.ru_stime)
    contestant.size = _size(out)
    wall, processor = contestant.wall[-1], contestant.processor[-1]
    print(f"{contestant.name}: {wall:.2f} s, CPU {processor:.2f} s", file=sys.stderr, flush=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    return path.stat().st_size if path.exists() else 0


def _peak_memory(process: "subprocess.Popen[bytes]") -> int:
    """Add up the proportional set sizes of a process and its children, while it runs."""
    peak, ended = 0, threading.Event()
    threading.Thread(target=lambda: (process.wait(), ended.set()), daemon=True).start()
    while not ended.wait(0.02):
        peak = max(peak, sum(map(_pss, _family(process.pid))))
    return peak


def _family(number: int) -> list[int]:
    try:
        children = Path(f"/proc/{number}/task/{number}/children").read_text()
    except OSError:
        return []
    return [number, *(each for child in children.split() for each in _family(int(child)))]


def _pss(number: int) -> int:
    try:
        lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)
