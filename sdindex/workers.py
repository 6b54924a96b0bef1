"""Processes that read images, a bounded number of files in flight, each in isolation."""

import multiprocessing
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from itertools import islice
from multiprocessing import forkserver
from multiprocessing.synchronize import Semaphore
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from pebble import ProcessPool

IN_FLIGHT_PER_WORKER = 4  # enough that no worker waits for its next file
FILE_SECONDS = 60.0  # a read that takes longer hangs
_START_SECONDS = 30.0

P = ParamSpec("P")
Job = TypeVar("Job")
Result = TypeVar("Result")


class Workers:
    """A pool of processes in which a crash or a hang costs the one file that caused it.

    pebble's pool knows which worker has which task and replaces that worker alone; the
    standard library's breaks as a whole when one process dies. A call that takes longer than
    `seconds` is given up, and its process with it.
    """

    def __init__(self, count: int, *, seconds: float | None = FILE_SECONDS) -> None:
        context = _context()
        self._count = count
        self._seconds = seconds
        self._started = context.Semaphore(0)
        self._pool = ProcessPool(
            max_workers=count,
            initializer=_start_worker,
            initargs=(self._started,),
            context=context,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            # A worker that still starts would find the pool gone, and complain.
            for _ in range(self._count):
                self._started.acquire(timeout=_START_SECONDS)
            self._pool.close()  # type: ignore[no-untyped-call]
        else:
            self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    def submit(
        self, function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> "Future[Result]":
        """Have a worker call the function; its future fails with TimeoutError after so long."""
        return self._pool.schedule(function, args=args, kwargs=kwargs, timeout=self._seconds)


def completed(
    jobs: Iterator[Job],
    submit: Callable[[Job], "Future[Result]"],
    *,
    in_flight: int,
    wait_seconds: float,
) -> Iterator[tuple[Job, "Future[Result]"] | None]:
    """Yield each job and its finished future, as they finish.

    No more than `in_flight` are taken from `jobs` at a time. None is yielded when nothing
    finished for `wait_seconds`, so that the caller can do what cannot wait.
    """
    finished: SimpleQueue[tuple[Job, Future[Result]]] = SimpleQueue()
    running = 0
    while True:
        for job in islice(jobs, in_flight - running):
            _report(submit(job), job, finished)
            running += 1
        if not running:
            return
        try:
            done = finished.get(timeout=wait_seconds)
        except Empty:
            yield None
        else:
            running -= 1
            yield done


def in_order(jobs: Iterator["Future[Result]"], *, in_flight: int) -> Iterator["Future[Result]"]:
    """Yield futures in the order in which they are made, some of them ahead of their turn."""
    ahead = deque(islice(jobs, in_flight))
    while ahead:
        done = ahead.popleft()
        wait([done])
        yield done
        ahead.extend(islice(jobs, 1))


def _report(
    future: "Future[Result]",
    job: Job,
    finished: "SimpleQueue[tuple[Job, Future[Result]]]",
) -> None:
    future.add_done_callback(lambda done: finished.put((job, done)))


def get_ready() -> None:
    """Have what workers are made of imported in another process, while this one goes on."""
    _context()


def _context() -> multiprocessing.context.BaseContext:
    """Return how processes start: never by a fork of this one, which may have threads."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["sdindex.hashing", "sdindex.sections"]
    )  # imported once, not once a worker
    if threading.current_thread() is threading.main_thread():
        # The server inherits this, so that Ctrl-C does not meet it while it still imports.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        forkserver.ensure_running()
        signal.signal(signal.SIGINT, previous)
    return context


def _start_worker(started: Semaphore) -> None:
    """Leave Ctrl-C, which reaches every process of the terminal, to the main one."""
    from sdindex.hashing import note_warnings  # imported when the server was, for all workers

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    note_warnings()
    started.release()
