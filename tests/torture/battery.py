"""The parts of the battery, how often each is done for a full count, and the table of results.

Each part is a function in a file of its name. This file needs nothing but Python's own.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

# How often each is done where nothing else is said; of `together`, seconds. Of `postgresql`,
# kills of programs, and of their connections.
PARTS: dict[str, int] = {
    "rounds": 10_000,
    "kills": 1000,
    "signals": 50,
    "workers": 50,
    "fuzzed": 10_000,
    "names": 500,
    "syscalls": 300,
    "damage": 1000,
    "together": 600,
    "modules": 4,
    "disks": 200,
    "mounts": 60,
    "limits": 100,
    "statements": 500,
    "nested": 200,
    "huge": 4,
    "refused": 40,
    "decoders": 100,
    "links": 1000,
    "changed": 300,
    "executors": 100,
    "cards": 200,
    "postgresql": 100,
    "crowds": 3,
}
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (made for this)


def part(name: str) -> Callable[..., Any]:
    """Return what does a part: called with a folder, a number of times, and a seed."""
    function: Callable[..., Any] = getattr(import_module(f"tests.torture.{name}"), name)
    return function


def run(names: Sequence[str], count: int | None, seed: int) -> int:
    """Do these parts, or all; print the table. Return 1 after the first difference, else 0."""
    from tests.torture.support import DifferenceError

    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"seed {seed}\n"
    )
    print("| part | what | how many | result | seconds |\n|---|---|---|---|---|", flush=True)
    # Disks would be waited for: what is tried here is not how they keep what was synced.
    folders = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
    for name in names or PARTS:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="sdindex-torture-", dir=folders) as folder:
            try:
                row = part(name)(Path(folder), count or PARTS[name], seed)
            except DifferenceError as problem:
                print(f"| {name} | | | **{problem}** | |", flush=True)
                return 1
        took = time.monotonic() - started
        print(f"| {name} | {' | '.join(row)} | {took:,.0f} |", flush=True)
    return 0
