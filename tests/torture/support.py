"""What the parts of the battery share: small archives, programs that run, a check, a row.

Each part takes a folder to work in, how often to do it, and a seed. The first thing that is
not as promised raises a `DifferenceError`. The trial with number i is made from seed + i, so
that it alone can be made again: ``scripts/torture PART --count 1 --seed SEED``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from itertools import count as count_from
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

import numpy as np
from PIL import Image

LONG_AGO = 1_700_000_000  # seconds since 1970: far from now, so that a file is settled
HANGS = 60.0  # seconds that nothing here takes
_MARK = "SDINDEX_TORTURE"
_numbers = count_from(1)
LATE = 20.0  # seconds in which a process whose parent was killed must have ended


class DifferenceError(Exception):
    """Something is not as promised; the text says what, and how to see it again."""


class Row(NamedTuple):
    """A line of the table: what was done, how many times, and what came of it."""

    what: str
    how_many: str
    result: str


def check(holds: bool, said: str) -> None:
    """Raise a `DifferenceError` with these words where something does not hold."""
    if not holds:
        raise DifferenceError(said)


def skipped(what: str, why: str) -> Row:
    return Row(what, "0", f"skipped: {why}")


def check_refusal(status: int, said: str, again: str) -> None:
    """Check that a program ended with status 1 and a line that says why."""
    right = status == 1 and said.count("\n") <= 1 and said.startswith("Error: ")
    check(right, f"it ended with {status} and said {said[-1500:]!r}; {again}")


def check_refusal_in(status: int, said: str, again: str) -> None:
    """Check that a program ended with status 1, and of what it said one line is an error."""
    errors = [line for line in said.splitlines() if line.startswith("Error: ")]
    right = status == 1 and len(errors) == 1 and "Traceback" not in said
    check(right, f"it ended with {status} and said {said[-1500:]!r}; {again}")


def image_bytes(seed: int, size: tuple[int, int] = (32, 24)) -> bytes:
    """Return a JPEG with a hash of its own."""
    chance = np.random.default_rng(seed)
    rough = Image.fromarray(chance.integers(0, 256, (8, 9), dtype=np.uint8))
    content = BytesIO()
    rough.resize(size, Image.Resampling.BICUBIC).save(content, "JPEG", quality=90)
    return content.getvalue()


def images(folder: Path, count: int, size: tuple[int, int] = (32, 24), seed: int = 1) -> Path:
    """Write small images in 7 folders, each with a hash and a time of its own."""
    for number in range(count):
        file = folder / f"{number % 7}" / f"IMG_{number}.JPG"
        file.parent.mkdir(exist_ok=True, parents=True)
        unique = 1000 * seed + number
        write(file, image_bytes(unique, size), LONG_AGO + unique)
    return folder


def write(file: Path, content: bytes, seconds: float = LONG_AGO) -> Path:
    """Write a file that was last touched so many seconds after 1970."""
    file.write_bytes(content)
    os.utime(file, (seconds, seconds))
    return file


def command(db: Path | str, *arguments: object) -> list[str]:
    """Return how the program is started on an index."""
    return [sys.executable, "-m", "sdindex", "--db", str(db), *map(str, arguments)]


def as_nobody(keeps: str) -> list[str]:
    """Return what a program is started by that is to be nobody's, with these of root's rights."""
    return [
        "setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps", keeps, "--ambient-caps",
        keeps, "--bounding-set", f"-all,{keeps}",
    ]  # fmt: skip


def runs(start: Sequence[str]) -> bool:
    """Say whether Python can be started by a program."""
    if shutil.which(start[0]) is None:
        return False
    program = [*start, sys.executable, "-c", ""]
    return not subprocess.run(program, capture_output=True, check=False).returncode


class Ended(NamedTuple):
    """How a program ended, and what it cost."""

    status: int
    out: bytes
    said: str  # on stderr
    seconds: float
    most_memory: int  # bytes, of its largest process; 0 when that was less than our own


def ended(
    program: Sequence[str],
    *,
    cwd: Path | None = None,
    variables: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
    seconds: float = HANGS,
    keep: int = 1 << 20,
) -> Ended:
    """Run a program to its end; when it takes longer than `seconds`, that is a difference.

    `before` is called in the new process before the program is there; `keep` are the bytes
    that are looked at of what it writes.
    """
    started = time.monotonic()
    with suppress(OSError):  # or our own greatest memory counts as that of the program
        Path("/proc/self/clear_refs").write_text("5")
    own = _own_memory() + (16 << 20)
    with TemporaryFile() as out, TemporaryFile() as said:
        process = subprocess.Popen(
            program, cwd=cwd, env={**os.environ, **(variables or {})}, stdin=subprocess.DEVNULL,
            stdout=out, stderr=said, start_new_session=True, preexec_fn=before,
        )  # fmt: skip
        hangs = threading.Event()

        def give_up() -> None:
            hangs.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(seconds, give_up)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said.seek(0)
        text = said.read(keep).decode(errors="backslashreplace")
        check(not hangs.is_set(), f"{' '.join(program[1:])[:500]} hangs: {text[-1500:]}")
        memory = usage.ru_maxrss * 1024
        if memory <= own:  # what this process had counts as that of the program
            memory = 0
        took = time.monotonic() - started
        return Ended(process.returncode, out.read(keep), text, took, memory)


def _own_memory() -> int:
    """Return the bytes of memory that this process has; 0 where that is not told."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0


class Run:
    """A running program, with what it writes in a file.

    What it starts may be in a session of its own, and outlive it: a mark in the environment
    tells all of them from other processes.
    """

    def __init__(self, program: Sequence[str], log: Path) -> None:
        self.log = log
        self._mark = f"{_MARK}={os.getpid()}-{next(_numbers)}"
        with log.open("wb") as shown:
            self.process = subprocess.Popen(
                program, stdin=subprocess.DEVNULL, stdout=shown, stderr=shown,
                start_new_session=True, env=os.environ | dict([self._mark.split("=")]),
            )  # fmt: skip

    @property
    def shown(self) -> str:
        return self.log.read_text(errors="backslashreplace")

    def processes(self) -> dict[int, int]:
        """Return its living processes, and the parent of each."""
        return _marked(self._mark.encode())

    def send(self, number: int, *, everyone: bool) -> None:
        """Send a signal to the program, or to every process that it has started, too.

        SIGINT reaches those of its session, as Ctrl-C does.
        """
        with suppress(ProcessLookupError):  # it may have just ended
            if everyone and number == signal.SIGINT:
                os.killpg(self.process.pid, number)
                return
            self.process.send_signal(number)
        for process in self.processes() if everyone else ():
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def ended(self, seconds: float = HANGS) -> int:
        """Wait for its end, and return its status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            left = self.processes()
            self.send(signal.SIGKILL, everyone=True)
            self.process.wait()
            raise DifferenceError(f"it hangs, with the processes {left}: {self.shown}") from None

    def left(self, seconds: float) -> dict[int, int]:
        """Return its processes that are still there after so long, and end them."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.01)
        for number in left:
            kill(number)
        return left


def _marked(mark: bytes) -> dict[int, int]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark not in (folder / "environ").read_bytes().split(b"\0"):
                continue
            status = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if status[0] not in "ZX":
            found[int(folder.name)] = int(status[1])
    return found


def kill(process: int) -> None:
    with suppress(ProcessLookupError):  # it may have just ended
        os.kill(process, signal.SIGKILL)
