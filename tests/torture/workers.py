"""Workers that are killed while they read."""

from __future__ import annotations

import random
import re
import shutil
import time
from pathlib import Path

from tests.torture.states import State, index_again, state, whole_run
from tests.torture.support import LATE, Row, Run, check, command, images, kill

SIZE = (1600, 1200)  # of an image: reading it takes a moment


def workers(folder: Path, count: int, seed: int, *, files: int = 120) -> Row:
    """Kill a worker at a random moment."""
    archive = images(folder / "archive", files, SIZE)
    (folder / "whole").mkdir()
    whole_run(folder / "whole" / "sdindex.db", archive)
    expected = state(folder / "whole" / "sdindex.db")
    in_hand = in_time = 0
    for trial in range(seed, seed + count):
        (folder / "killed").mkdir()
        files_lost, was_there = _killed(archive, folder / "killed" / "sdindex.db", expected, trial)
        in_hand += files_lost
        in_time += was_there
        shutil.rmtree(folder / "killed")
    return Row(
        "workers killed at random",
        f"{count}",
        f"{in_time} of them while it read: the file in hand was read by another worker, or, "
        f"{in_hand} times, is the only file affected, and the only file that the next run reads",
    )


def _killed(archive: Path, db: Path, expected: State, trial: int) -> tuple[int, bool]:
    """Kill a worker of a run; return how many files are affected, and whether it was in time."""
    again = f"seed {trial}"
    chance = random.Random(trial)
    run = Run(command(db, "index", archive), db.with_name("log"))
    victim = _a_worker(run, chance)
    if victim is not None:
        time.sleep(chance.uniform(0, 0.3))
        kill(victim)
    in_time = run.process.poll() is None
    status = run.ended()
    check(status == 0, f"it ended with {status}: {run.shown}; {again}")
    check(not run.left(LATE), f"processes are left; {again}")
    counted = [int(figure) for figure in re.findall(r"\d+", run.shown)[:6]]
    check(counted[0] == sum(counted[1:]), f"the sum is wrong: {run.shown}; {again}")
    rows = {row[1]: row for row in state(db)["row"]}
    wrong = [row for row in expected["row"] if rows.get(row[1]) != row]
    check(len(wrong) <= 1, f"{len(wrong)} files are affected; {again}")
    for row in wrong:
        error = rows[row[1]][5]
        check("its reader died" in (error or ""), f"{row[1]}: {error}; {again}")
    read = index_again(db, archive, expected, again)
    check(read == len(wrong), f"the next run read {read} files; {again}")
    return len(wrong), in_time


def _a_worker(run: Run, chance: random.Random) -> int | None:
    """Return a worker, as soon as there is one; None when the program has ended before."""
    while run.process.poll() is None:
        parents = run.processes()
        found = [child for child, parent in parents.items() if parents.get(parent, 0) in parents]
        if found:
            return chance.choice(found)
        time.sleep(0.005)
    return None
