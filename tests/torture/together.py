"""Programs that write and read one index at once, while files come and go."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import count as count_from
from itertools import takewhile
from pathlib import Path

from tests.torture.support import Row, check, command, images

STAYING, PASSING, WANTED = 120, 60, 80  # images, and how many of them are asked for
WRITERS, READERS = 4, 4
NICE = ("nice", "-n", "10")  # what else is tried at the same time is not to be kept waiting


def together(folder: Path, count: int, seed: int) -> Row:
    """Run `index` and `select` in loops for `count` seconds, while files come and go."""
    archive = images(folder / "archive", STAYING)
    visitors = images(folder / "visitors", PASSING)
    loops = Loops(folder / "sdindex.db", archive, count)
    check(not loops.index(0), "the first index")
    loops.link.symlink_to(loops.db)
    threads = [threading.Thread(target=loops.come_and_go, args=(visitors, random.Random(seed)))]
    for times, name, turn in ((WRITERS, "index", loops.index), (READERS, "select", loops.select)):
        threads += [threading.Thread(target=loops.run, args=(name, turn)) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not loops.wrong, f"{loops.wrong}; seed {seed}")
    return Row(
        f"{WRITERS} `index` and {READERS} `select` loops on one index by two names, "
        "while files come and go",
        f"{count} s",
        f"0 errors in {loops.runs['index']:,} runs of `index` and "
        f"{loops.runs['select']:,} of `select`",
    )


class Loops:
    """Programs that run again and again until a time, or until something goes wrong."""

    def __init__(self, db: Path, archive: Path, seconds: float) -> None:
        self.db = db
        self.link = db.with_name("link.db")  # the same index by another name
        self.archive = archive
        self.deadline = time.monotonic() + seconds
        self.runs: Counter[str] = Counter()
        self.wrong: list[str] = []

    def go_on(self) -> bool:
        return time.monotonic() < self.deadline and not self.wrong

    def run(self, name: str, turn: Callable[[int], str]) -> None:
        for number in takewhile(lambda _: self.go_on(), count_from(0)):
            said = turn(number)
            if said:
                self.wrong.append(f"{name}, turn {number}: {said}")
            self.runs[name] += 1

    def name(self, number: int) -> Path:
        return self.link if number % 3 == 2 else self.db

    def index(self, number: int) -> str:
        """Bring the index up to date; return what went wrong."""
        options = ("-q", "--accept-loss", "--workers", 2)  # half of them go at once, by chance
        program = command(self.name(number), "index", *options, self.archive)
        done = subprocess.run([*NICE, *program], capture_output=True, text=True, check=False)
        waits = re.fullmatch(r"(another sdindex is writing to .*\n)?", done.stderr)
        return "" if done.returncode == 0 and waits else f"{done.returncode} {done.stderr}"

    def select(self, number: int) -> str:
        """Draw a sample, every other time of all there is; return what went wrong."""
        wanted = WANTED if number % 2 else 10**6
        program = command(self.name(number), "select", "-n", wanted, "--format", "null")
        done = subprocess.run([*NICE, *program], capture_output=True, check=False)
        paths = done.stdout.split(b"\0")[:-1]
        least, most = (WANTED, WANTED) if number % 2 else (STAYING, STAYING + PASSING)
        if done.returncode or not least <= len(paths) <= most or len(set(paths)) < len(paths):
            return f"{done.returncode}, {len(paths)} paths: {done.stderr.decode()}"
        return ""

    def come_and_go(self, visitors: Path, chance: random.Random) -> None:
        """Have files appear in the archive, and disappear."""
        sources = sorted(visitors.rglob("*.JPG"))
        while self.go_on():
            file = self.archive / "passing" / f"{chance.randrange(PASSING)}.JPG"
            file.parent.mkdir(exist_ok=True)
            if file.exists():
                file.unlink()
            else:
                shutil.copy2(chance.choice(sources), file)
            time.sleep(0.01)
