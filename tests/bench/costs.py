"""What commands cost: wall time, processor time of all their processes, and memory."""

import ctypes
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

CHECKOUT = str(Path(__file__).resolve().parent.parent.parent)


class Cost(NamedTuple):
    """What a command took: seconds of wall time and of all its processes, and MB at most."""

    wall: float
    cpu: float
    memory: float


def in_turn(runs: int, *sides: Callable[[], Cost]) -> list[list[Cost]]:
    """Run the sides in turn, once uncounted and then so many times; return what each took.

    Of no runs the first is what is returned: enough to see that a part works.
    """
    first = [side() for side in sides]
    rounds = [[side() for side in sides] for _ in range(runs)] or [first]
    return [list(costs) for costs in zip(*rounds, strict=True)]


def run(command: Sequence[str], given: str = "", fresh: Path | None = None) -> Cost:
    """Run a command to its end, and whatever it leaves running; `fresh` is removed first.

    What ran before, as a server that it asks, goes on.

    It finds this checkout's modules, those of the tests, too, whatever folder it runs in.
    """
    if fresh is not None:
        fresh.unlink(missing_ok=True)
    before = _children()
    with tempfile.TemporaryFile("w+") as names:
        names.write(given)
        names.seek(0)
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=names,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": CHECKOUT},
        )
        _, status, spent = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"failed: {' '.join(command)}")
    cpu, memory = spent.ru_utime + spent.ru_stime, spent.ru_maxrss
    while left := _children() - before:  # as the server of its workers, and through it these
        _, _, spent = os.wait4(left.pop(), 0)
        cpu += spent.ru_utime + spent.ru_stime
    return Cost(wall, cpu, memory / 1000)


def _children() -> set[int]:
    """Return the processes of which this one is the parent; none where that is not told."""
    told = Path(f"/proc/self/task/{os.getpid()}/children")
    return set(map(int, told.read_text().split())) if told.exists() else set()


def reap_orphans() -> None:
    """Become the parent of processes whose parent ends, so that their time is counted."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def median(costs: Sequence[Cost], figure: str) -> float:
    """Return the median of a figure: `wall`, `cpu` or `memory`."""
    return float(statistics.median(getattr(cost, figure) for cost in costs))


def python() -> str:
    """Return the Python that this runs under, which has sdindex."""
    return sys.executable


def machine() -> str:
    """Return what it is measured on."""
    return f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"
