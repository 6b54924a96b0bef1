"""Processes that read images, a bounded number of files in flight, each in isolation."""

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, SpawnContext
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar, cast

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

IN_FLIGHT_PER_WORKER = 4  # enough that no worker waits for its next file
FILE_SECONDS = 60.0  # a read that takes longer hangs
_START_SECONDS = 60.0

P = ParamSpec("P")
Job = TypeVar("Job")
Result = TypeVar("Result")
Answer = tuple[object, Exception | None]  # what a job returned, or raised


class WorkerDiedError(Exception):
    """A worker ended while it had something in hand."""


class Workers:
    """Processes in which a crash or a hang costs the one file that caused it.

    Each has a pipe of its own, and a thread that waits at the other end. Nothing is shared:
    the locks of the well-known pools, pebble's included, stay locked when a process is killed
    that holds one, and a file that it took but had not said so is waited for without end.
    """

    def __init__(self, count: int) -> None:
        self._context = _context()
        self._threads = ThreadPoolExecutor(count)
        self._all: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._is_stopping = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._threads.shutdown()
        self._is_stopping = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._all[:]:
            worker.kill()
        self._threads.shutdown()
        for worker in self._all:
            worker.close()

    def submit(
        self, function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> "Future[Result]":
        """Have a worker call the function.

        Its future fails with TimeoutError after a minute, and with WorkerDiedError.
        """
        return self._threads.submit(self._have_called, partial(function, *args, **kwargs))

    def _have_called(self, job: Callable[[], Result]) -> Result:
        worker = self._an_idle_one()
        try:
            result, problem = worker.ask(job, FILE_SECONDS)
        except BaseException:
            self._drop(worker)
            raise
        self._idle.append(worker)
        if problem is not None:
            raise problem
        return cast("Result", result)

    def _an_idle_one(self) -> "_Worker":
        with suppress(IndexError):  # none is idle
            while True:
                worker = self._idle.pop()
                if worker.is_alive():
                    return worker
                self._drop(worker)
        worker = _Worker(self._context)
        self._all.append(worker)
        if self._is_stopping:  # and who stops them may not have seen this one
            worker.kill()
        return worker

    def _drop(self, worker: "_Worker") -> None:
        self._all.remove(worker)
        worker.close()


class _Worker:
    """A process that does one thing at a time."""

    def __init__(self, context: ForkServerContext | SpawnContext) -> None:
        self._pipe: Connection[Callable[[], object], Answer]
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        self._is_ready = False
        theirs.close()  # so that the pipe ends when the process does

    def ask(self, job: Callable[[], object], seconds: float) -> Answer:
        """Return what the job returned, or raised."""
        try:
            if not self._is_ready:  # what it imports, it imports on nobody's account
                self._receive(_START_SECONDS)
                self._is_ready = True
            self._pipe.send(job)
            return self._receive(seconds)
        except (EOFError, ConnectionError) as problem:
            raise WorkerDiedError from problem

    def _receive(self, seconds: float) -> Answer:
        if not self._pipe.poll(seconds):
            raise TimeoutError
        return self._pipe.recv()

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


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


def _report(
    future: "Future[Result]",
    job: Job,
    finished: "SimpleQueue[tuple[Job, Future[Result]]]",
) -> None:
    future.add_done_callback(lambda done: finished.put((job, done)))


def _context() -> ForkServerContext | SpawnContext:
    """Return how processes start: never by a fork of this one, which may have threads."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sdindex.hashing"])  # imported once, not once a worker
    if threading.current_thread() is threading.main_thread():
        # The server inherits this, so that Ctrl-C does not meet it while it still imports.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        forkserver.ensure_running()
        signal.signal(signal.SIGINT, previous)
    return context


def _work(jobs: "Connection[Answer, Callable[[], object]]") -> None:
    """Do what comes through the pipe, until the main process ends it or ends itself.

    Ctrl-C, which reaches every process of the terminal, is left to that one.
    """
    from sdindex.hashing import note_warnings  # imported when the server was, for all workers

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    note_warnings()
    with suppress(EOFError, ConnectionError):
        answer: Answer = (None, None)  # to nothing: it is ready
        while True:
            jobs.send(answer)
            job = jobs.recv()
            try:
                answer = (job(), None)
            except Exception as problem:  # noqa: BLE001  (it is raised where the job was given)
                answer = (None, problem)
