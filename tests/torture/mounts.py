"""A disk that is mounted inside an archive, and is away at the next run, or goes during one.

It is mounted for real, in a name space of its own that ends with the process that does it.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

from sdindex import Index, SdindexError
from sdindex.indexing.executors import Threads
from tests.torture.states import first_difference, opened, state, update
from tests.torture.support import (
    HANGS,
    LONG_AGO,
    Row,
    check,
    ended,
    image_bytes,
    images,
    skipped,
    write,
)

_WHAT = "a disk mounted inside the archive is away, or goes"
_MAIN = "from tests.torture.mounts import main; main()"
_CHECKOUT = Path(__file__).resolve().parents[2]


def mounts(folder: Path, count: int, seed: int) -> Row:
    """Mount disks in archives, take them away, bring them back."""
    own = ["unshare", "-m", "--propagation", "private"]
    if shutil.which("unshare") is None or subprocess.run([*own, "true"], check=False).returncode:
        return skipped(_WHAT, "no mounts for this user")
    program = [*own, sys.executable, "-c", _MAIN, str(folder), str(count), str(seed)]
    done = ended(program, variables={"PYTHONPATH": str(_CHECKOUT)}, seconds=count * HANGS)
    check(not done.status, done.said[-2000:])
    return Row(
        _WHAT,
        f"{count:,}",
        "its images are kept as they were, and it is said; nothing is pruned; when it is back, "
        f"nothing is read again ({done.out.decode().strip()})",
    )


def main() -> None:
    """Do the trials, in a process that has mounts of its own."""
    folder, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    outcomes: Counter[str] = Counter()
    for trial in range(seed, seed + count):
        outcomes[Mounted(folder / "archives", trial).outcome()] += 1
        shutil.rmtree(folder / "archives")
    print(", ".join(f"{times:,} {outcome}" for outcome, times in sorted(outcomes.items())))


class Mounted:
    """An archive with a disk of its own in one of its folders."""

    def __init__(self, folder: Path, trial: int) -> None:
        self._chance = random.Random(trial)
        self._again = f"seed {trial}"
        self._db = folder / "sdindex.db"
        self._archive = images(folder / "archive", self._chance.choice((1, 3, 40)))
        self._disk = folder / "disk"
        self._disk.mkdir()
        _do("mount", "-t", "tmpfs", "tmpfs", self._disk)
        images(self._disk, self._chance.choice((1, 2, 15, 60)), seed=2)
        self._point = self._archive / self._chance.choice(("disk", "site/disk", "0/disk"))
        self._point.mkdir(parents=True)

    def outcome(self) -> str:
        """Index it with the disk, without it, and with it again; return what was done."""
        self._mount()
        update(self._db, self._archive)
        whole = state(self._db)
        _do("umount", self._point)
        strays = self._chance.choice((0, 0, 1, 3))
        for number in range(strays):
            write(self._point / f"stray{number}.jpg", image_bytes(9_000 + number), LONG_AGO + 5)
        at = self._chance.choice((self._archive, self._archive, self._point))
        self._index_without_it(at)
        self._mount()
        summary = update(self._db, self._archive)
        check(not summary.read, f"{summary.read} files are read again; {self._again}")
        wrong = first_difference(state(self._db), whole)
        check(not wrong, f"when it is back, {wrong}; {self._again}")
        self._pull_it_while_it_is_read()
        _do("umount", self._disk)
        return f"with {strays} stray images in its folder"

    def _pull_it_while_it_is_read(self) -> None:
        files = list(self._disk.rglob("*.JPG"))
        for file in files:
            os.utime(file, (LONG_AGO, LONG_AGO))
        pulls = Pulling(self._chance.randrange(len(files)), self._point)
        with pulls, Index(self._db) as index:
            summary = index.update(self._archive, executor=pulls, workers=1)
        check(bool(summary.unlooked), f"it went while it was read: {summary}; {self._again}")
        self._check_none_is_missing()
        self._mount()
        update(self._db, self._archive)
        self._check_none_is_missing()
        _do("umount", self._point)

    def _index_without_it(self, folder: Path) -> None:
        try:
            summary = update(self._db, folder)
            check(bool(summary.unlooked), f"nothing is said: {summary}; {self._again}")
        except SdindexError as problem:
            check("\n" not in str(problem), f"{problem}; {self._again}")
        self._check_none_is_missing()

    def _check_none_is_missing(self) -> None:
        with closing(opened(self._db)) as connection:
            query = "SELECT count(*) FROM image WHERE missing_since IS NOT NULL"
            (missing,) = connection.execute(query).fetchone()
        check(not missing, f"{missing} images are missing; {self._again}")
        with Index(self._db) as index:
            pruned = index.prune()
        check(not pruned, f"{pruned} images are pruned; {self._again}")

    def _mount(self) -> None:
        _do("mount", "--bind", self._disk, self._point)


class Pulling(Threads):
    """Reads files in a thread, and has a disk gone before one of them."""

    def __init__(self, after: int, point: Path) -> None:
        super().__init__(1)
        self._left = after
        self._point = point

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a file read."""
        if not self._left:
            _do("umount", "--lazy", self._point)
        self._left -= 1
        return super().submit(fn, *args, **kwargs)


def _do(*program: str | Path) -> None:
    subprocess.run([os.fspath(word) for word in program], check=True)
