"""Processes that are killed at any moment: in first runs, updates, upgrades, and repairs."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

from sdindex.indexing.ingest import BATCH_FILES
from sdindex.workers import IN_FLIGHT_PER_WORKER
from tests.torture.scenes import SCENES, Scene, rows
from tests.torture.states import Rows, index_again, rows_after, rows_now
from tests.torture.support import LATE, Row, Run, check, command

WORKERS = 4
FILES = 500  # of an archive that is read in one batch and a rest
AWAY = 4_000  # images of an old index, of an archive that is away: its upgrade takes a moment
TWICE = 7  # of so many runs that are killed, one is killed again while it repairs
EARLY = 0.2  # of the kills are in the program's start, too


def kills(
    folder: Path, count: int, seed: int, *, files: int = FILES, names: tuple[str, ...] = SCENES
) -> Row:
    """Kill `index` at random moments: all its processes or the first alone, and repairs, too."""
    scenes = {name: Scene(folder / name, name, files, away=AWAY) for name in names}
    outcomes = [
        Killed(scenes[names[trial % len(names)]], folder / "killed", trial).outcome()
        for trial in range(seed, seed + count)
    ]
    stages = Counter(stage for outcome in outcomes for stage in outcome[0])
    again = sum(len(outcome[0]) > 1 for outcome in outcomes)
    moments = ", ".join(f"{number:,} {stage}" for stage, number in sorted(stages.items()))
    return Row(
        f"kill -9 at random moments of {', '.join(names)}; and again during the repair",
        f"{count - again:,} + {again:,}",
        f"0 rows lost, 0 differences; at most {max(outcome[1] for outcome in outcomes)} files "
        f"read twice; 0 processes left, the last gone after "
        f"{max(outcome[2] for outcome in outcomes):.1f} s ({moments})",
    )


class Killed:
    """A run that is killed, one time or two, and what is left by it."""

    def __init__(self, scene: Scene, folder: Path, trial: int) -> None:
        self._scene = scene
        self._folder = folder
        self._db = scene.set_up(folder)
        self._again = f"{scene.name}, seed {trial}"
        self._chance = random.Random(trial)
        self._attempts = 2 if trial % TWICE == TWICE - 1 else 1

    def outcome(self) -> tuple[list[str], int, float]:
        """Return the stages in which it was killed, files read twice, and seconds to its end."""
        stages: list[str] = []
        most_twice, slowest_end = 0, 0.0
        committed: Rows = self._scene.old
        for _ in range(self._attempts):
            seen, run = self._killed(committed)
            finished = run.ended() == 0
            killed = time.monotonic()
            left = run.left(LATE)
            slowest_end = max(slowest_end, time.monotonic() - killed)
            check(not left, f"processes {left} were left; {self._again}")
            kept = rows_after(self._db, self._folder / "copy")
            self._check_rows(seen, kept)
            most_twice = max(most_twice, self._read_twice(run, kept - committed))
            stages.append(self._stage(kept, finished))
            committed = kept
        self._check_repair(committed)
        shutil.rmtree(self._folder)
        return stages, most_twice, slowest_end

    def _killed(self, committed: Rows) -> tuple[Rows, Run]:
        run = Run(command(self._db, "index", "-v", self._scene.archive), self._folder / "log")
        early = self._chance.random() < EARLY
        first = 0.2 * self._scene.whole if early else 0.9 * self._scene.begun
        time.sleep(self._chance.uniform(first, self._scene.whole))
        seen = committed | (rows_now(self._db) or set())
        run.send(signal.SIGKILL, everyone=self._chance.random() < 0.5)
        return seen, run

    def _check_rows(self, seen: Rows, kept: Rows) -> None:
        """Check that no row is lost that was committed, and none is there that nobody wrote."""
        old, new = self._scene.old, self._scene.new
        lost = (seen & new) - kept
        check(not lost, f"{len(lost)} rows lost, as {min(lost, default=None)}; {self._again}")
        strange = kept - old - new
        check(not strange, f"{len(strange)} strange rows, as {strange}; {self._again}")
        check(len(kept) >= len(old), f"{len(kept)} rows of {len(old)} are left; {self._again}")

    def _read_twice(self, run: Run, stored: Rows) -> int:
        submitted = sum(line.endswith(".JPG") for line in run.shown.splitlines())
        twice = submitted - len(stored & self._scene.to_read)
        most = BATCH_FILES + WORKERS * IN_FLIGHT_PER_WORKER
        check(twice <= most, f"{twice} files that were read are not in the index; {self._again}")
        return twice

    def _stage(self, kept: Rows, finished: bool) -> str:
        if finished:
            return "after the end"
        if not self._db.exists():
            return "before there was an index"
        if not self._scene.to_read:
            return "in an upgrade, or after it"
        left = len(self._scene.to_read - kept)
        none = left == len(self._scene.to_read)
        return f"with {'no' if none else 'some' if left else 'all'} rows stored"

    def _check_repair(self, committed: Rows) -> None:
        """Check what the next run reads and makes of it, and that an old index is kept."""
        read = index_again(self._db, self._scene.archive, self._scene.expected, self._again)
        wanted = len(self._scene.to_read - committed)
        check(read == wanted, f"the next run read {read} files, not {wanted}; {self._again}")
        if not self._scene.to_read:
            kept = [rows(file) for file in self._folder.glob("sdindex.db.schema-????")]
            check(self._scene.old in kept, f"the old index is not kept; {self._again}")
