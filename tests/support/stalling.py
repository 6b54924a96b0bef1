"""What worker processes do in tests: it imports little, as that counts as the call's time."""

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sdindex.archive.roots import LocalRoot


@dataclass(frozen=True, slots=True)
class StallingRoot(LocalRoot):
    """A folder whose files hang when they are opened, or take a moment, if named so."""

    def open(self, path: str, head: int | None = None) -> BinaryIO:
        """Hang in the system, sleep a moment, or open the file at once."""
        place = self.location(path)
        name = Path(place).name
        if name.startswith("hang"):
            pipe = f"{place}.pipe"
            if not os.path.exists(pipe):
                os.mkfifo(pipe)
            with open(pipe, "rb") as never_written:
                never_written.read()
        if name.startswith("slow"):
            time.sleep(0.3)
        return LocalRoot.open(self, path)


def meet(place: str, count: int) -> bool:
    """Wait, as for a slow disk, until so many are waiting at once; say whether they ever were."""
    Path(place, str(os.getpid())).touch()
    deadline = time.monotonic() + 60
    while len(os.listdir(place)) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return len(os.listdir(place)) >= count


def work(what: str) -> str:
    """Return what is given; crash, hang or wait until a file is there first where it says so."""
    if what == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hang":
        time.sleep(600)
    if what.startswith("until "):
        while not os.path.exists(what.removeprefix("until ")):
            time.sleep(0.02)
    return what


def die_once(mark: str) -> str:
    """Die the first time, as when the system ends a process for want of memory."""
    if not os.path.exists(mark):
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def no_threads() -> None:
    """Have no thread start in this process any more."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    vars(threading)["Thread"] = type("Thread", (threading.Thread,), {"start": refuse})


def complain() -> None:
    """Write to stderr, past Python."""
    os.write(2, b"too little memory\n")
