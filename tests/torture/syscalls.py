"""System calls that fail one by one, by strace, on the way of the index and the archive."""

from __future__ import annotations

import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.torture.scenes import rows
from tests.torture.states import Rows, first_difference, rows_after, state, update
from tests.torture.support import (
    HANGS,
    LATE,
    LONG_AGO,
    Row,
    Run,
    check,
    command,
    image_bytes,
    images,
    skipped,
    write,
)

# The file stays open, or there is nothing that could fail so.
_NEVER_FAIL = {"close", "lseek", "flock", "dup", "dup2", "dup3", "ioctl", "getcwd"}
_NEED_SPACE = {"openat", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "mkdir", "rename"}
SCENES = ("a first run", "an update")


class Fault(NamedTuple):
    """The n-th system call of that name fails with an error, in each process."""

    scene: str
    call: str
    number: int
    error: str

    def __str__(self) -> str:
        return f"{self.scene}: {self.call} number {self.number} fails with {self.error}"


def syscalls(folder: Path, count: int, seed: int, *, names: Sequence[str] = SCENES) -> Row:
    """Let system calls that touch the index or the archive fail once; `count` at random."""
    if shutil.which("strace") is None:
        return skipped("the Nth system call fails with EIO or ENOSPC", "no strace here")
    scenes = {name: Traced(folder / name, name) for name in names}
    all_faults = [fault for scene in scenes.values() for fault in scene.faults()]
    faults = random.Random(seed).sample(all_faults, min(count, len(all_faults)))
    outcomes: Counter[str] = Counter(scenes[fault.scene].outcome(fault) for fault in faults)
    calls = len({fault.call for fault in faults})
    said = ", ".join(f"{times:,} {outcome}" for outcome, times in sorted(outcomes.items()))
    return Row(
        "the Nth system call fails with EIO or ENOSPC",
        f"{len(faults):,} of {len(all_faults):,}, of {calls} calls",
        f"the old or the new state, one line at most ({said})",
    )


class Traced:
    """A small run of `index`, what the index tells before, and what after it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder
        self.archive = images(folder / "archive", 3)
        self.working = folder / "working"
        self.db = self.working / "sdindex.db"
        self.kept = folder / "kept"
        self.kept.mkdir()
        self.old: Rows = set()
        if name == "an update":
            self._run(command(self.kept / self.db.name, "index", "-q", self.archive))
            self.old = rows(self.kept / self.db.name)
            for added in ("1/IMG_1.JPG", "2/IMG_9.JPG"):
                write(self.archive / added, image_bytes(77, (40, 32)))
            for number, file in enumerate(sorted(self.archive.rglob("*.JPG"))):
                os.utime(file, (LONG_AGO + 50 * number, LONG_AGO + 50 * number))
        self._set_up()
        self._run(command(self.db, "index", "-q", self.archive))
        self.new = rows(self.db)
        self.expected = state(self.db)

    def faults(self) -> Iterator[Fault]:
        """Yield all that can happen: the calls that an undisturbed run makes, each in turn."""
        self._set_up()
        log, _ = self._trace("trace=%file,%desc")
        most: Counter[str] = Counter()
        for (_, call), times in Counter(re.findall(r"^(\d+) +(\w+)\(", log, re.M)).items():
            most[call] = max(most[call], times)
        for call, times in sorted(most.items()):
            for error in ("EIO", "ENOSPC"):
                if call not in _NEVER_FAIL and (error == "EIO" or call in _NEED_SPACE):
                    yield from (Fault(self.name, call, n + 1, error) for n in range(times))

    def outcome(self, fault: Fault) -> str:
        """Run with a fault, check what is left, and return in words what came of it."""
        self._set_up()
        inject = f"inject={fault.call}:error={fault.error}:when={fault.number}"
        log, run = self._trace(f"trace={fault.call}", inject)
        status, said = run.ended(), run.shown
        check(status in (0, 1), f"{fault}: it ended with {status}: {said}")
        check(len(said.splitlines()) <= 1, f"{fault}: it said {said}")
        check(bool(said) or not status, f"{fault}: it ended with {status} and no word")
        if self.db.exists():
            self._check_rows(fault)
        else:
            check(not self.old, f"{fault}: the index is gone")
        update(self.db, self.archive)
        wrong = first_difference(state(self.db), self.expected)
        check(not wrong, f"{fault}: after the next run, {wrong}")
        if "INJECTED" not in log:
            return "not reached"
        return f"with status {status}"

    def _check_rows(self, fault: Fault) -> None:
        stored = rows_after(self.db, self.folder / "copy")
        refused = {row for row in stored if row[4] and "cannot be read" in row[4]}
        strange = stored - self.old - self.new - refused
        check(not strange, f"{fault}: the index holds {strange}")
        lost = {row[0] for row in self.old} - {row[0] for row in stored}
        check(not lost, f"{fault}: {lost} are lost")
        forgotten = {row[0] for row in self.old} & {row[0] for row in refused}
        check(not forgotten, f"{fault}: what was known of {forgotten} is lost")

    def _set_up(self) -> None:
        shutil.rmtree(self.working, ignore_errors=True)
        shutil.copytree(self.kept, self.working)

    def _trace(self, *expressions: str) -> tuple[str, Run]:
        """Run under strace, which is told of every path that matters; return its log."""
        watched = [
            self.working, *self.archive.rglob("*"), self.archive,
            *(f"{self.db}{end}" for end in ("", "-journal", ".lock", ".part", ".part-journal")),
        ]  # fmt: skip
        log = self.folder / "strace.log"
        tracer = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", str(log)]
        tracer += [f"--{expression}" for expression in expressions]
        tracer += [option for path in watched for option in ("-P", str(path))]
        program = command(self.db, "index", "-q", "--workers", 1, self.archive)
        run = Run([*tracer, *program], self.folder / "said")
        run.ended(2 * HANGS)
        check(not run.left(LATE), f"processes are left after {expressions}")
        return log.read_text(errors="replace"), run

    def _run(self, program: Sequence[str]) -> None:
        run = Run(program, self.folder / "undisturbed")
        status = run.ended()
        check(status == 0, f"undisturbed, it ended with {status}: {run.shown}")
