"""A machine that lacks something: open files, memory, processes, room in a file."""

from __future__ import annotations

import random
import resource
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.torture.states import COMMITTED, first_difference, opened, state, update
from tests.torture.support import (
    Row,
    as_nobody,
    check,
    check_refusal,
    command,
    ended,
    image_bytes,
    images,
    runs,
    write,
)

# What has no limit for root: another user, who may read and write what root may.
_AS_NOBODY = as_nobody("+dac_override,+dac_read_search")


class Limit(NamedTuple):
    """A limit of the system, and how little of it is tried."""

    name: str
    number: int
    low: int
    high: int


LIMITS = (
    Limit("open files", resource.RLIMIT_NOFILE, 8, 80),
    # With less, numpy cannot be imported, and its own libraries write of that.
    Limit("bytes of memory", resource.RLIMIT_AS, 100 << 20, 900 << 20),
    Limit("processes", resource.RLIMIT_NPROC, 1, 24),
    Limit("bytes of a file", resource.RLIMIT_FSIZE, 1 << 12, 1 << 18),
)


def limits(folder: Path, count: int, seed: int, *, files: int = 60) -> Row:
    """Index with too little of something: all is read, or a line says what lacks."""
    # One is so large that it does not fit in little memory, as images of cameras are not.
    archive = images(folder / "archive", files, (320, 240))
    write(archive / "0" / "large.jpg", image_bytes(5_000, (6000, 4000)))
    folder.chmod(0o777)
    update(folder / "whole.db", archive)
    expected = state(folder / "whole.db")
    outcomes: Counter[str] = Counter()
    for trial in range(seed, seed + count):
        working = folder / "working"
        working.mkdir(mode=0o777)
        working.chmod(0o777)
        outcomes[_limited(archive, working / "sdindex.db", trial)] += 1
        update(working / "sdindex.db", archive)
        wrong = first_difference(state(working / "sdindex.db"), expected)
        check(not wrong, f"after the next run, {wrong}; seed {trial}")
        shutil.rmtree(working)
    said = ", ".join(f"{times:,} {outcome}" for outcome, times in sorted(outcomes.items()))
    return Row(
        "limits of open files, memory, processes and the size of files",
        f"{count:,}",
        f"no good image is called unreadable ({said})",
    )


def _limited(archive: Path, db: Path, trial: int) -> str:
    """Index within a limit; return in words what came of it."""
    chance = random.Random(trial)
    limit = LIMITS[trial % len(LIMITS)]
    value = int(limit.low * (limit.high / limit.low) ** chance.random())
    workers = chance.choice((1, 2, 4, 16))
    again = f"{value:,} {limit.name}, {workers} workers; seed {trial}"
    program = command(db, "index", "-q", "--workers", workers, archive)
    if limit.number == resource.RLIMIT_NPROC:
        if not runs(_AS_NOBODY):
            return f"not tried with too few {limit.name}, as this user is not root"
        program = _AS_NOBODY + program
    done = ended(program, before=_setting(limit.number, value))
    unreadable = _unreadable(db)
    check(not unreadable, f"{len(unreadable)} are unreadable, as {unreadable[:2]}; {again}")
    if done.status:
        started = "Error: " in done.said or "Traceback" in done.said or db.exists()
        if limit.number != resource.RLIMIT_AS or started:  # or Python itself did not start
            check_refusal(done.status, done.said, again)
        return f"refused for {limit.name}"
    check(done.said.count("\n") <= 1, f"it said {done.said}; {again}")
    return f"read within few {limit.name}"


def _setting(number: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(number, (value, value))


def _unreadable(db: Path) -> list[tuple[object, ...]]:
    if not db.exists():
        return []
    connection = opened(db)
    rows = connection.execute(f"{COMMITTED} WHERE error IS NOT NULL").fetchall()
    connection.close()
    return rows
