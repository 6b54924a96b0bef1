"""Executors that lose workers, see another disk, or fail in ways of their own."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sdindex import Index, SdindexError
from sdindex.archive.roots import made_by
from tests.support.faulty import BLIND, FaultyRoot
from tests.torture.states import COMMITTED, Rows, State, first_difference, opened, state, update
from tests.torture.support import Row, check, images

FILES = 60
BLINDLY, DEADLY = "its workers do not see the archive", "its worker dies"
BATCHES = 3  # that are read before it fails


def executors(folder: Path, count: int, seed: int) -> Row:
    """Have other people's executors read, and fail: it ends in a line, and what was read stays."""
    archive = images(folder / "archive", FILES)
    update(folder / "whole.db", archive)
    expected = state(folder / "whole.db")
    outcomes: Counter[str] = Counter()
    for trial in range(seed, seed + count):
        (folder / "working").mkdir()
        outcomes[_failed(archive, folder / "working" / "sdindex.db", expected, trial)] += 1
        shutil.rmtree(folder / "working")
    said = ", ".join(f"{times:,} times {outcome}" for outcome, times in sorted(outcomes.items()))
    return Row(
        "executors whose workers die, or see another disk",
        f"{count:,}",
        f"it ends in a line, what was read is stored, the next run reads the rest ({said})",
    )


def _failed(archive: Path, db: Path, expected: State, trial: int) -> str:
    """Read by an executor that fails; return how it does."""
    chance = random.Random(trial)
    how = chance.choice(list(FAILING))
    again = f"{how}, seed {trial}"
    with FAILING[how](chance.randint(1, 2)) as executor, Index(db) as index, made_by(DeadlyRoot):
        try:
            summary = index.update(archive, executor=executor)
        except SdindexError as problem:
            check("\n" not in str(problem), f"{problem}; {again}")
        except Exception as problem:  # noqa: BLE001  (it is the difference)
            check(holds=False, said=f"{type(problem).__name__}: {problem}; {again}")
        else:
            check(how not in (BLINDLY, DEADLY), f"it ended as if nothing were: {summary}; {again}")
    rows = _rows(db)
    wrong = {row for row in rows if row[4] is not None}
    check(not wrong, f"{wrong} are unreadable; {again}")
    read = update(db, archive).read
    check(read == FILES - len(rows), f"the next run read {read} of {FILES} files; {again}")
    difference = first_difference(state(db), expected)
    check(not difference, f"after the next run, {difference}; {again}")
    return how


def _rows(db: Path) -> Rows:
    if not db.exists():
        return set()
    with closing(opened(db)) as connection:
        return set(connection.execute(COMMITTED))


def _processes(prepare: Callable[[int], None], calls: int) -> Executor:
    context = get_context("forkserver")
    return ProcessPoolExecutor(2, context, initializer=prepare, initargs=(calls,))


def _do_not_see(_: int) -> None:
    """Have this process, and those that it starts, not find a file, as on another machine."""
    os.environ[BLIND] = "1"


_calls_left = -1  # in a worker that dies


def _die_of(calls: int) -> None:
    global _calls_left
    _calls_left = calls


class DeadlyRoot(FaultyRoot):
    """A folder that kills the worker that is to read it, after some times."""

    @property
    def is_far(self) -> bool:
        """Say that it is not."""
        global _calls_left
        _calls_left -= 1
        if _calls_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return False


class Failing(ThreadPoolExecutor):
    """Threads that after some calls fail in a way that an engine has of its own."""

    def __init__(self, problem: BaseException, *, at_once: bool) -> None:
        super().__init__(2)
        self._problem = problem
        self._at_once = at_once
        self._left = BATCHES + 1

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self._left -= 1
        if self._left > 0:
            return super().submit(function, *args, **kwargs)
        if self._at_once:
            raise self._problem
        failed: Future[Any] = Future()
        failed.set_exception(self._problem)
        return failed


class KilledWorkerError(Exception):
    """What an engine raises that knows nothing of `concurrent.futures`."""


FAILING: dict[str, Callable[[int], Executor]] = {
    BLINDLY: lambda _: _processes(_do_not_see, 0),
    DEADLY: lambda calls: _processes(_die_of, calls),
    "it says that it is broken": lambda _: Failing(BrokenExecutor("broken"), at_once=False),
    "it takes no more": lambda _: Failing(BrokenExecutor("broken"), at_once=True),
    "it is shut down": lambda _: Failing(RuntimeError("cannot schedule new"), at_once=True),
    "an engine's own error": lambda _: Failing(
        KilledWorkerError("attempted to run on 3 workers that died"), at_once=False
    ),
}
