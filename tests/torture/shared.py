"""Writers of several archives in one index on a server, killed at random, beside readers."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import count as count_from
from pathlib import Path

from sdindex import Index
from tests.support.servers import Server
from tests.torture.states import QUESTIONS, State, first_difference, samples, update
from tests.torture.support import DifferenceError, Run, check, command, images

ARCHIVES = READERS = 4
STAYING = 40  # images of each archive that all move at once, to a folder of the next number
PASSING = 12  # others that come, and go
KILLED = 0.5  # of the runs
NICE = ("nice", "-n", "10")


def told(server: Server, url: str) -> State:
    """Return what an index tells of the files that are there, in the order of their paths."""
    found = {name: server.run(query, url) for name, query in QUESTIONS.items()}
    with Index(url) as index:
        index.status()  # and the frame has as many images
        return found | samples(index)


class Shared:
    """An index that many use at once, until a time, or until something goes wrong.

    All images of an archive that stay are moved from a folder into the next one before each
    run, and each run records that in one transaction: who reads sees all of them in one folder.
    """

    def __init__(self, server: Server, folder: Path, seconds: float, seed: int) -> None:
        self._server, self.url, self.folder = server, server.database(), folder
        self._seconds, self.seed = seconds, seed
        self.archives = [folder / f"archive{number}" for number in range(ARCHIVES)]
        for number, archive in enumerate(self.archives):
            made = images(folder / "made", STAYING, seed=10 + number)
            (archive / "0").mkdir(parents=True)
            for file in sorted(made.rglob("*.JPG")):
                file.rename(archive / "0" / file.name)
            images(archive / "passing", 1)  # a folder that lost all of its images is kept
        self.passing = sorted(images(folder / "passing", 100, seed=20).rglob("*.JPG"))
        update(self.url, *self.archives)
        self._deadline = 0.0
        self._wrong: list[str] = []
        self.runs: Counter[str] = Counter()

    def run(self) -> None:
        """Have them write and read; compare the end with an index that is made afresh."""
        self._deadline = time.monotonic() + self._seconds
        turns: list[Callable[[int], None]] = [
            *(_Writer(self, number).turn for number in range(ARCHIVES)),
            *(_Reader(self, number).turn for number in range(READERS)),
        ]
        threads = [threading.Thread(target=self._loop, args=(turn,)) for turn in turns]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(not self._wrong, f"{self._wrong}; seed {self.seed}")
        fresh = self._server.database()
        for url in (self.url, fresh):
            update(url, *self.archives)
        wrong = first_difference(told(self._server, self.url), told(self._server, fresh))
        check(not wrong, f"at the end, {wrong}; seed {self.seed}")
        for url in (self.url, fresh):
            self._server.drop(url)

    def _loop(self, turn: Callable[[int], None]) -> None:
        for number in count_from(1):
            if time.monotonic() >= self._deadline or self._wrong:
                return
            try:
                turn(number)
            except DifferenceError as problem:
                self._wrong.append(str(problem))


class _Writer:
    """Changes an archive and brings the index up to date with it, and is killed at times."""

    def __init__(self, shared: Shared, number: int) -> None:
        self._shared = shared
        self._archive = shared.archives[number]
        self._log = shared.folder / f"writer{number}.log"
        self._chance = random.Random(shared.seed * 100 + number)
        self._whole = 1.0

    def turn(self, number: int) -> None:
        (self._archive / f"{number - 1}").rename(self._archive / f"{number}")
        file = self._archive / "passing" / f"{self._chance.randrange(PASSING)}.JPG"
        file.parent.mkdir(exist_ok=True)
        if file.exists():
            file.unlink()
        else:
            file.write_bytes(self._chance.choice(self._shared.passing).read_bytes())
        started = time.monotonic()
        program = command(self._shared.url, "index", "-q", "--workers", 1, self._archive)
        run = Run([*NICE, *program], self._log)
        if self._chance.random() < KILLED:
            time.sleep(self._chance.uniform(0, self._whole))
            run.send(signal.SIGKILL, everyone=True)
            self._shared.runs["killed"] += run.ended() != 0
        else:
            status = run.ended()
            self._whole = time.monotonic() - started
            waited = re.fullmatch(r"(another sdindex .*: waiting for it\n)?", run.shown)
            check(status == 0 and waited is not None, f"index: {status}, {run.shown}")
        self._shared.runs["index"] += 1


class _Reader:
    """Draws samples of all images, and saves one at times."""

    def __init__(self, shared: Shared, number: int) -> None:
        self._shared = shared
        self._number = number

    def turn(self, number: int) -> None:
        options = ["select", "-n", "100%", "--format", "null"]
        if number % 5 == 0:
            options += ["--save", f"by{self._number}-{number}"]
        elif number % 2:
            options += ["--bits", "9"]  # through the columns of the frame
        program = command(self._shared.url, *options)
        done = subprocess.run([*NICE, *program], capture_output=True, text=True, check=False)
        said = done.stderr
        waited = re.fullmatch(r"(another sdindex .* saves .*\n)?(saved .*\n)?", said)
        check(done.returncode == 0 and waited is not None, f"select: {done.returncode}, {said}")
        self._check(done.stdout.split("\0")[:-1])
        self._shared.runs["select"] += 1

    def _check(self, paths: list[str]) -> None:
        """Check that what was drawn is one state that was committed."""
        check(len(set(paths)) == len(paths), "select gave an image twice")
        folders: dict[Path, Counter[str]] = defaultdict(Counter)
        for path in map(Path, paths):
            if path.parent.name != "passing":
                folders[path.parent.parent][path.parent.name] += 1
        for archive in self._shared.archives:
            found = folders[archive]
            check(list(found.values()) == [STAYING], f"select saw {archive.name} as {found}")
