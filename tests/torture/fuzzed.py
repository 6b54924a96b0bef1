"""Broken images of five formats, by three methods: a hash of what is left is right, or none."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

from sdindex.hashing.methods import METHODS, Method
from tests.torture.harms import fuzzed_image, originals
from tests.torture.oracle import Judged, get_ready, judge
from tests.torture.states import opened, update
from tests.torture.support import HANGS, Row, check, command, ended, write

AT_ONCE = 500  # images in an archive


def fuzzed(folder: Path, count: int, seed: int) -> Row:
    """Break images in every way; a hash of what is left is right, or there is none."""
    sources = originals()
    outcomes: Counter[str] = Counter()
    with ProcessPoolExecutor(2, get_context("spawn"), initializer=get_ready) as judges:
        for start in range(seed, seed + count, AT_ONCE):
            archive = folder / "archive"
            archive.mkdir()
            numbers = range(start, min(start + AT_ONCE, seed + count))
            for number in numbers:
                write(archive / f"{number}.jpg", fuzzed_image(random.Random(number), sources))
            names = sorted(os.listdir(archive))
            judged = judges.map(judge, [archive / name for name in names], chunksize=16)
            said = dict(zip(names, judged, strict=True))
            for method in METHODS:
                outcomes += _checked(archive, folder / f"{method}.db", method, said)
            shutil.rmtree(archive)
    counted = ", ".join(f"{times:,} {outcome}" for outcome, times in sorted(outcomes.items()))
    return Row(
        f"fuzzed images of five formats, by --method {', '.join(METHODS)}",
        f"{count:,} x {len(METHODS)}",
        "0 crashes, 0 hangs, 0 wrong hashes, nothing on stderr; what is broken is settled and "
        f"not read again, and --verify finds what is broken behind a head ({counted})",
    )


def _checked(archive: Path, db: Path, method: Method, said: dict[str, Judged]) -> Counter[str]:
    """Index damaged images, and compare each with what Pillow and imagehash say of it."""
    again = f"seed {min(said)[:-4]} and the {len(said) - 1} after it, --method {method}"
    run = ended(command(db, "index", "-q", "--method", method, archive), seconds=10 * HANGS)
    check(run.status == 0, f"it ended with {run.status}: {run.said[-1500:]}; {again}")
    check(not run.said, f"it said {run.said[-1500:]}; {again}")
    with closing(opened(db)) as connection:
        rows = connection.execute("SELECT path, dhash, error, settled FROM image").fetchall()
    check({row[0] for row in rows} == set(said), f"not all files have a row; {again}")
    unsettled = [row for row in rows if not row[3]]
    check(not unsettled, f"not settled: {unsettled[:5]}; {again}")
    repeated = update(db, archive)
    check(not repeated.read, f"{repeated.read} files are read again; {again}")
    outcomes = Counter(
        _outcome(said[name], method, dhash, error, f"seed {name[:-4]}, --method {method}")
        for name, dhash, error, _ in rows
    )
    if method == "thumbnail":
        _check_verified(archive, db, said)
    db.unlink()
    return outcomes


def _check_verified(archive: Path, db: Path, said: dict[str, Judged]) -> None:
    """Check that what is broken behind its head is found when the whole is looked at."""
    program = command(db, "index", "-q", "--verify", archive)
    run = ended(program, seconds=10 * HANGS)
    said_all = f"--verify ended with {run.status}: {run.said[-900:]}"
    check(run.status in (0, 1) and "Traceback" not in run.said, said_all)
    last = run.said.splitlines()[-1:]
    told = [line.endswith("bring a good copy back where there is one") for line in last]
    check(told == [True] * run.status, said_all)  # damaged files are listed, and nothing else
    with closing(opened(db)) as connection:
        rows = connection.execute("SELECT path FROM image WHERE error IS NULL").fetchall()
    wrong = {name for (name,) in rows if not said[name].right("scaled")}
    check(not wrong, f"--verify takes {wrong} for whole; seeds as named")


def _outcome(said: Judged, method: Method, dhash: int | None, error: str | None, again: str) -> str:
    """Check what the index has of a file, and return in words what that is."""
    right = said.right(method)
    if error is None:
        check(dhash in right, f"its hash is {dhash}, and not one of {right}; {again}")
        return "with the right hash"
    check(dhash is None, f"it has a hash and an error, {error}; {again}")
    crashed = "its reader died" in error or "hung" in error
    check(not crashed, f"{error}; {again}")
    refused = not said.right("scaled" if method == "thumbnail" else method)
    check(refused or said.is_huge, f"Pillow reads it, and the index says {error}; {again}")
    return "too large" if "too large" in error else "unreadable"
