"""SIGINT and SIGTERM at any moment, to the program or to all its processes."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

from tests.torture.scenes import SCENES, Scene
from tests.torture.states import index_again, rows_after, rows_now
from tests.torture.support import Row, Run, check, command

FILES = 500


def signals(
    folder: Path, count: int, seed: int, *, files: int = FILES, seconds: float = 1.0
) -> Row:
    """Send SIGINT and SIGTERM in turn, to the program or to all its processes."""
    scene = Scene(folder / "scene", SCENES[0], files)
    ends: Counter[str] = Counter()
    slowest = 0.0
    for trial in range(seed, seed + 2 * count):
        end, took = _signalled(scene, folder / "ended", trial, seconds)
        ends[end] += 1
        slowest = max(slowest, took)
    counted = ", ".join(f"{times} {end}" for end, times in sorted(ends.items()))
    return Row(
        "SIGINT and SIGTERM at random moments",
        f"{count} + {count}",
        f"ended in {slowest:.2f} s at most, 0 processes left, 1 line at most ({counted})",
    )


def _signalled(scene: Scene, folder: Path, trial: int, seconds: float) -> tuple[str, float]:
    """Send a signal to a run; return how it ended, and after how many seconds."""
    number = (signal.SIGINT, signal.SIGTERM)[trial % 2]
    again = f"{number.name}, seed {trial}"
    chance = random.Random(trial)
    db = scene.set_up(folder)
    run = Run(command(db, "index", "-q", scene.archive), folder / "log")
    time.sleep(chance.uniform(0.2 * scene.whole, scene.whole))
    seen = rows_now(db) or set()
    sent = time.monotonic()
    run.send(number, everyone=chance.random() < 0.5)
    status = run.ended()
    left = run.left(max(0.0, sent + seconds - time.monotonic()))
    took = time.monotonic() - sent
    check(not left, f"processes {left} are left; {again}")
    check(took <= seconds, f"it took {took:.2f} s; {again}")
    # Before Python is there, and when it goes, a signal itself ends the process: a shell
    # shows the same for both.
    right = status in (0, 128 + number, -number)
    check(right, f"it ended with {status}: {run.shown}; {again}")
    check(run.shown.count("\n") <= 1, f"it said {run.shown!r}; {again}")
    check(seen <= rows_after(db, folder / "copy"), f"rows were lost; {again}")
    index_again(db, scene.archive, scene.expected, again)
    shutil.rmtree(folder)
    return (f"{status} after {number.name}" if status else "at the end by then"), took
