"""Rounds of changes to an archive, after each of which the index is that of a fresh run."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections import Counter
from concurrent.futures import Executor
from pathlib import Path

from sdindex import Index, SdindexError
from sdindex.hashing.methods import Method
from sdindex.indexing.executors import Threads
from sdindex.store.database import Store
from tests.torture.living import Archive
from tests.torture.states import first_difference, state
from tests.torture.support import Row, check, command

ROUNDS_OF_A_LIFE = 20  # of one archive; then a new one begins
BY_THE_PROGRAM = 0.02  # of the rounds; the others run in this process


def rounds(folder: Path, count: int, seed: int) -> Row:
    """Let things happen to archives; after each round compare the index with a fresh one."""
    happened: Counter[str] = Counter()
    programs = 0
    with Threads(2) as threads:
        fresh = Fresh(folder, threads)
        for start in range(0, count, ROUNDS_OF_A_LIFE):
            number = seed + start // ROUNDS_OF_A_LIFE
            life = Life(folder / "life", number, threads)
            for turn in range(min(ROUNDS_OF_A_LIFE, count - start)):
                programs += life.turn(happened)
                wrong = first_difference(life.state(), fresh.state(life.archive.root, life.method))
                check(not wrong, f"{wrong}; seed {number}, round {turn}")
            life.end()
    things = ", ".join(f"{times:,} {name}" for name, times in sorted(happened.items()))
    return Row(
        "random rounds, then `index`, compared with a fresh index",
        f"{count:,}",
        f"0 differences in {sum(happened.values()):,} changes ({things}); "
        f"{programs} rounds by the real program",
    )


class Fresh:
    """Indexes made anew: copies of an empty one, by one entry, as opening each costs more."""

    def __init__(self, folder: Path, threads: Executor) -> None:
        self._empty = folder / "empty.db"
        self._db = folder / "fresh.db"
        self._index = Index(self._db)
        self._threads = threads
        with Store(self._empty).writing(create=True):
            pass

    def state(self, root: Path, method: Method) -> dict[str, list[tuple[object, ...]]]:
        """Return what a fresh index tells of an archive."""
        shutil.copy(self._empty, self._db)
        self._index.update(root, method=method, executor=self._threads)
        return state(self._db, self._index)


class Life:
    """An archive to which things happen, and its index, which follows."""

    def __init__(self, folder: Path, seed: int, threads: Executor) -> None:
        self._folder = folder
        self._chance = random.Random(seed)
        self._threads = threads
        self._db = folder / "sdindex.db"
        self._index = Index(self._db)
        self.archive = Archive(folder / "archive", self._chance)
        self.method: Method = self._chance.choice(("scaled", "exact"))

    def turn(self, happened: Counter[str]) -> bool:
        """Let some things happen and bring the index up to date; say whether by the program."""
        happened.update(self.archive.happen() for _ in range(self._chance.randint(1, 6)))
        if self._chance.random() < 0.03:
            self.method = "exact" if self.method == "scaled" else "scaled"
        if self._chance.random() < 0.1:
            self._update_a_part()
        by_program = self._chance.random() < BY_THE_PROGRAM
        self._update(by_program=by_program)
        return by_program

    def state(self) -> dict[str, list[tuple[object, ...]]]:
        return state(self._db, self._index)

    def end(self) -> None:
        self._index.close()
        shutil.rmtree(self._folder)

    def _update(self, *, by_program: bool) -> None:
        strict = self._chance.random() < 0.1
        if by_program:
            strictly = ["--strict"] if strict else []
            arguments = ["index", "-q", "--accept-loss", "--method", self.method, *strictly]
            arguments.append(str(self.archive.root))
            done = subprocess.run(command(self._db, *arguments), capture_output=True, check=False)
            check(not done.returncode, f"{done.returncode} {done.stderr.decode()}")
        else:
            self._index.update(
                self.archive.root, method=self.method, strict=strict, executor=self._threads,
                accept_loss=True,
            )  # fmt: skip

    def _update_a_part(self) -> None:
        folders = sorted(path for path in self.archive.root.rglob("*") if path.is_dir())
        if folders and self._db.exists():
            try:
                folder = self._chance.choice(folders)
                self._index.update(folder, executor=self._threads, accept_loss=True)
            except SdindexError as problem:
                check("holds no image files" in str(problem), str(problem))
