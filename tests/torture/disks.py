"""Disks that fail or are pulled while they are read: known hashes stay, or the run stops."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import sys
from collections import Counter
from contextlib import closing
from errno import EIO, ENODEV, ENXIO, ESTALE, errorcode
from pathlib import Path
from typing import NamedTuple

from tests.torture.scenes import SCENES, Scene
from tests.torture.states import COMMITTED, first_difference, opened, state, update
from tests.torture.support import Row, check, check_refusal, command, ended, skipped

OPEN, READ, STAT, LIST, TOP = 1, 2, 4, 8, 16  # as in disk.c
KINDS = {
    "contents": READ,
    "files": OPEN | READ,
    "all but the folder itself": OPEN | READ | STAT | LIST,
    "listings": LIST,
    "states": STAT,
    "all": OPEN | READ | STAT | LIST | TOP,
}
ERRORS = (EIO, ENODEV, ESTALE, ENXIO)
FOR_EVER = (1 << 64) - 1
FEW = 20  # files: a run in which so many are refused in a row may go on
_CONTROL = struct.Struct("=4Q2I")
_SOURCE = Path(__file__).with_name("disk.c")


class Fault(NamedTuple):
    """Calls of some kinds fail with an error, from one number up to another."""

    kinds: str
    error: int
    first: int
    until: int

    def __str__(self) -> str:
        end = "on" if self.until == FOR_EVER else f"to {self.until}"
        return f"{self.kinds}: {errorcode[self.error]} from call {self.first} {end}"


def disks(folder: Path, count: int, seed: int, *, files: int = 64) -> Row:
    """Have a disk fail at a random call; nothing that was known is lost, and it is said."""
    what = "disks that fail below Python, or are pulled"
    if sys.platform != "linux" or shutil.which("gcc") is None:
        return skipped(what, "no gcc here, or no Linux")
    disk = Disk(folder, Scene(folder / "scene", SCENES[1], files))
    outcomes = Counter(disk.fail(trial) for trial in range(seed, seed + count))
    said = ", ".join(f"{times:,} {outcome}" for outcome, times in sorted(outcomes.items()))
    return Row(what, f"{count:,}", f"0 known hashes lost; the next run makes it right ({said})")


class Disk:
    """An archive on a disk that can be made to fail, and its index before an update."""

    def __init__(self, folder: Path, scene: Scene) -> None:
        self._scene = scene
        self._working = folder / "working"
        self._control = folder / "control"
        library = folder / "disk.so"
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"], check=True
        )
        self._variables = {
            "LD_PRELOAD": str(library),
            "SDINDEX_DISK": str(scene.archive),
            "SDINDEX_DISK_CONTROL": str(self._control),
        }
        self._calls: dict[str, int] = {}

    def fail(self, trial: int) -> str:
        """Let it fail while the index is brought up to date; return in words what came of it."""
        chance = random.Random(trial)
        kinds = chance.choice(list(KINDS))
        first = chance.randrange(self._count_calls(kinds))
        until = chance.choice((first + 1, first + chance.randrange(2, 30), FOR_EVER, FOR_EVER))
        fault = Fault(kinds, chance.choice(ERRORS), first, until)
        again = f"{fault}; seed {trial}"
        db = self._scene.set_up(self._working)
        failed, status, said = self._run(db, fault)
        check(status in (0, 1), f"it ended with {status}: {said}; {again}")
        if status:
            check_refusal(status, said, again)
        else:
            check(said.count("\n") <= 1, f"it said {said}; {again}")
        done = self._check_rows(db, again)
        gone_on = not status and not done and failed and fault.until == FOR_EVER
        check(not gone_on, f"the disk is gone, and it ended with 0, and said {said!r}; {again}")
        update(db, self._scene.archive)
        wrong = first_difference(state(db), self._scene.expected)
        check(not wrong, f"after the next run, {wrong}; {again}")
        return "not reached" if not failed else f"with status {status}"

    def _check_rows(self, db: Path, again: str) -> bool:
        """Check that nothing known is lost; say whether all is as it is after a whole run."""
        with closing(opened(db)) as connection:
            rows = set(connection.execute(COMMITTED))
            query = "SELECT path FROM image WHERE missing_since IS NOT NULL"
            missing = {path for (path,) in connection.execute(query)}
        there = {path for path in missing if os.path.exists(self._scene.archive / path)}
        check(not there, f"{len(there)} files are missing that are there, as {there}; {again}")
        known = {row[3] for row in self._scene.old if row[3] is not None}
        changed = {row[3] for row in self._scene.old if row not in self._scene.new}
        lost = known - changed - {row[3] for row in rows}
        check(not lost, f"{len(lost)} known hashes are lost; {again}")
        refused = {row[0] for row in rows if row[4] is not None}
        forgotten = refused & {row[0] for row in self._scene.old}
        check(not forgotten, f"what was known of {forgotten} is lost; {again}")
        strange = {row for row in rows - self._scene.old - self._scene.new if row[4] is None}
        check(not strange, f"strange rows: {strange}; {again}")
        return len(self._scene.new - rows) <= FEW

    def _count_calls(self, kinds: str) -> int:
        """Return how many calls of some kinds an undisturbed run makes."""
        if kinds not in self._calls:
            db = self._scene.set_up(self._working)
            self._run(db, Fault(kinds, EIO, FOR_EVER, FOR_EVER))
            self._calls[kinds] = max(1, self._read_control()[0])
        return self._calls[kinds]

    def _run(self, db: Path, fault: Fault) -> tuple[int, int, str]:
        """Bring the index up to date; return how many calls failed, the status, what it said."""
        self._control.write_bytes(
            _CONTROL.pack(0, fault.first, fault.until, 0, KINDS[fault.kinds], fault.error)
        )
        done = ended(command(db, "index", "-q", self._scene.archive), variables=self._variables)
        return self._read_control()[3], done.status, done.said

    def _read_control(self) -> tuple[int, ...]:
        return _CONTROL.unpack(self._control.read_bytes())
