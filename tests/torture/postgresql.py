"""An index on a server: programs and connections that are killed, a server that is restarted."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from sdindex import Index
from tests.support import servers
from tests.support.servers import Server
from tests.torture.scenes import change
from tests.torture.shared import Shared, told
from tests.torture.states import COMMITTED, Rows, first_difference, update
from tests.torture.support import (
    LATE,
    Row,
    Run,
    check,
    check_refusal_in,
    command,
    images,
    skipped,
)

FILES = 400
SCENES = ("a first run", "an update")
HOW = ("its processes are killed", "its connections are closed", "the server is restarted")
RESTARTS = 20  # one for so many of each of the others
PAIRS = 5  # two first runs at once for so many
SECONDS = 3  # of writers and readers at once for each
ALL_LOCKS = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
WHAT = (
    "`index` into PostgreSQL: kill -9, connections closed, the server restarted; first runs at "
    "once; writers of 4 archives, killed at random, beside readers"
)


def postgresql(
    folder: Path, count: int, seed: int, *, files: int = FILES, seconds: int = SECONDS
) -> Row:
    """Do each of these, and compare what is left, and what the next run makes of it."""
    if why := servers.missing():
        return skipped(WHAT, why)
    with servers.running() as server:
        scenes = list(_scenes(server, folder, files))
        times = {HOW[0]: count, HOW[1]: count, HOW[2]: -(-count // RESTARTS)}
        outcomes = Counter(
            _Disturbed(server, scenes[trial % 2], folder, how, trial).outcome()
            for how, number in times.items() for trial in range(seed, seed + number)
        )  # fmt: skip
        pairs = -(-count // PAIRS)
        for trial in range(seed, seed + pairs):
            _first_runs_at_once(server, folder, trial)
        shared = Shared(server, folder / "shared", count * seconds, seed)
        shared.run()
    stages = ", ".join(f"{number:,} {stage}" for stage, number in sorted(outcomes.items()))
    return Row(
        WHAT,
        f"{count} + {count} + {times[HOW[2]]}; {pairs}; {count * seconds} s",
        f"0 rows lost, 0 differences, 0 locks left ({stages}); {pairs} of {pairs} pairs; "
        f"{shared.runs['index']:,} runs of `index`, {shared.runs['killed']:,} of them killed, "
        f"{shared.runs['select']:,} of `select`, each of one state, and the end as made afresh",
    )


class _Scene:
    """A run of `index` that is to be disturbed: what there is before it, and after it."""

    def __init__(self, server: Server, name: str, archive: Path, kept: str, files: int) -> None:
        self.name, self.archive, self.kept = name, archive, kept
        self.old = rows_now(server, kept)
        whole = server.database(kept)
        started = time.monotonic()
        run = Run(command(whole, "index", archive), archive.parent / "whole.log")
        check(run.ended() == 0, run.shown)
        self.whole = time.monotonic() - started
        self.new = rows_now(server, whole)
        self.expected = told(server, whole)
        moved = [row for row in self.new - self.old if self.old and row[0].startswith("moved/")]
        self.to_read = self.new - self.old - set(moved)


def _scenes(server: Server, folder: Path, files: int) -> Iterator[_Scene]:
    archive, before = images(folder / "archive", files), server.database()
    update(before, archive)
    change(archive, files)
    for name, kept in zip(SCENES, (server.database(), before), strict=True):
        yield _Scene(server, name, archive, kept, files)


class _Disturbed:
    """A run that is disturbed at any moment, and what is left by it."""

    def __init__(self, server: Server, scene: _Scene, folder: Path, how: str, trial: int) -> None:
        self._server, self._scene, self._how = server, scene, how
        self._log = folder / "log"
        self._url = server.database(scene.kept)
        self._again = f"{scene.name}, {how}, seed {trial}"
        self._chance = random.Random(trial)

    def outcome(self) -> str:
        """Return when it was disturbed."""
        seen, run = self._disturbed()
        status = run.ended()
        left = run.left(LATE)
        check(not left, f"processes {left} were left; {self._again}")
        if self._how != HOW[0] and status != 0:
            check_refusal_in(status, run.shown, self._again)
        self._check_locks()
        kept = rows_now(self._server, self._url)
        lost, strange = (seen & self._scene.new) - kept, kept - self._scene.old - self._scene.new
        check(not lost, f"{len(lost)} rows lost, as {min(lost, default=None)}; {self._again}")
        check(not strange, f"{len(strange)} strange rows, as {strange}; {self._again}")
        check(len(kept) >= len(self._scene.old), f"{len(kept)} rows are left; {self._again}")
        read = update(self._url, self._scene.archive).read
        wanted = len(self._scene.to_read - kept)
        check(read == wanted, f"the next run read {read} files, not {wanted}; {self._again}")
        wrong = first_difference(told(self._server, self._url), self._scene.expected)
        check(not wrong, f"after the next run, {wrong}; {self._again}")
        self._server.drop(self._url)
        return self._stage(kept, ended=status == 0)

    def _disturbed(self) -> tuple[Rows, Run]:
        run = Run(command(self._url, "index", self._scene.archive), self._log)
        time.sleep(self._chance.uniform(0.2, 1) * self._scene.whole)
        seen = rows_now(self._server, self._url)
        if self._how == HOW[0]:
            run.send(signal.SIGKILL, everyone=self._chance.random() < 0.5)
        elif self._how == HOW[1]:
            self._server.close_all(self._url)
        else:
            self._server.stop(self._chance.choice(["immediate", "fast"]))
            self._server.start()
        return seen, run

    def _check_locks(self) -> None:
        deadline = time.monotonic() + LATE
        while (left := self._server.run(ALL_LOCKS, self._url)) != [(0,)]:
            check(time.monotonic() < deadline, f"{left} locks are left; {self._again}")
            time.sleep(0.05)

    def _stage(self, kept: Rows, *, ended: bool) -> str:
        if ended:
            return "after the end"
        left = len(self._scene.to_read - kept)
        none = left == len(self._scene.to_read)
        return f"with {'no' if none else 'some' if left else 'all'} rows stored"


def rows_now(server: Server, url: str) -> Rows:
    """Return what is committed; nothing where there is no index."""
    from psycopg.errors import InvalidSchemaName, UndefinedTable

    with suppress(InvalidSchemaName, UndefinedTable):
        return set(server.run(COMMITTED, url))
    return set()


def _first_runs_at_once(server: Server, folder: Path, trial: int) -> None:
    """Have two programs make an index at once: of two archives, or of one."""
    url = server.database()
    archives = [images(folder / f"first{number}", 12, seed=3 + number) for number in range(2)]
    named = archives if trial % 2 else archives[:1] * 2
    _check_all_end(
        (Run(command(url, "index", archive), folder / f"first{number}.log")
         for number, archive in enumerate(named)),
        trial,
    )  # fmt: skip
    with Index(url) as index:
        found = len(index.select(99))
    check(found == 12 * len(set(named)), f"{found} images after two first runs, seed {trial}")
    server.drop(url)


def _check_all_end(runs: Iterable[Run], trial: int) -> None:
    for run in list(runs):
        status = run.ended()
        check(status == 0, f"two first runs at once, seed {trial}: {status}, {run.shown}")
