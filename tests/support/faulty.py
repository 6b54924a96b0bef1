"""What executors meet in tests: files that crash or hang who reads them, and clusters of Dask."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sdindex.archive.roots import LocalRoot
from sdindex.archive.state import FileState

CHECKOUT = Path(__file__).parents[2]  # a reader imports this: nothing large with it
BLIND = "SDINDEX_TEST_BLIND"  # the variable of a worker that does not see the archive
NTHREADS = 1


@dataclass(frozen=True, slots=True)
class FaultyRoot(LocalRoot):
    """A folder with files that crash or hang who opens them; a blind worker sees none of it."""

    seconds: float = 0.0

    def state(self, path: str) -> FileState:
        """Return a file's state, where this process sees it."""
        if os.environ.get(BLIND):
            raise FileNotFoundError(2, os.strerror(2), path)
        return LocalRoot.state(self, path)

    def open(self, path: str, head: int | None = None) -> BinaryIO:
        """Open a file, unless it is one of those."""
        FaultyRoot.state(self, path)
        name = path.rpartition("/")[2]
        time.sleep(600 if name.startswith("hang") else self.seconds)
        if name.startswith("crash"):
            os.kill(os.getpid(), signal.SIGKILL)
        return LocalRoot.open(self, path)


class Cluster:
    """A scheduler of Dask and its workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--host", "127.0.0.1")
        while not self._file.exists():
            assert self.scheduler.poll() is None, (folder / "scheduler.log").read_text()
            time.sleep(0.05)
        self.workers: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        import json

        return str(json.loads(self._file.read_text())["address"])

    def add(self, **env: str) -> None:
        """Start a worker, which no nanny restarts."""
        options = ["--no-nanny", "--nthreads", str(NTHREADS), "--local-directory"]
        self.workers.append(self._start("worker", *options, str(self._folder), **env))

    def restore(self, workers: int = 2) -> None:
        """Have as many workers as at first, and none of those that were added."""
        for process in self.workers[workers:]:
            process.kill()
            process.wait()
        self.workers = [process for process in self.workers[:workers] if process.poll() is None]
        while len(self.workers) < workers:
            self.add()

    def _start(self, what: str, *options: str, **env: str) -> "subprocess.Popen[bytes]":
        module = f"distributed.cli.dask_{what}"
        path = os.pathsep.join(filter(None, [env.pop("first", ""), str(CHECKOUT)]))
        with (self._folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, "--scheduler-file", self._file, "--no-dashboard",
                 *options],
                env={**os.environ, "PYTHONPATH": path, **env},
                cwd=self._folder, stdout=log, stderr=log,
            )  # fmt: skip

    def end(self) -> None:
        """End all of it."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@contextmanager
def cluster(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """Give a cluster with so many workers."""
    folder.mkdir(exist_ok=True)
    made = Cluster(folder)
    try:
        for _ in range(workers):
            made.add()
        yield made
    finally:
        made.end()
