"""Processes that do a program's work, a bounded number of calls in flight, each in isolation."""

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from itertools import islice
from multiprocessing.reduction import ForkingPickler
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from sdindex import processes
from sdindex.errors import LACKING, ReadingError
from sdindex.processes import Process
from sdindex.processes import WorkerDiedError as WorkerDiedError  # part of what this module is

IN_FLIGHT_PER_WORKER = 4  # enough that no worker waits for its next file
_STARTS = 3  # a process may be killed while it starts; so many in a row are no accident
_SPARE_FILES = 8  # that this process can still open when all its workers have started
_NO_START = "the program's own processes do not start"

log = logging.getLogger("sdindex")

P = ParamSpec("P")
Job = TypeVar("Job")
Result = TypeVar("Result")


class Workers:
    """A pool of processes in which a crash or a hang costs the one call that caused it.

    Each process has a pipe of its own: what happens to one is nothing to the others, and
    there is no doubt which call it had in hand. Where the machine does not give as many
    processes as wanted, fewer do the work.

    Parameters
    ----------
    count
        How many processes, at most; each starts when there is a call for it.
    timeout
        Seconds that a call may take, from when a worker has it: then the worker is killed.
        As long as it likes when it is None.
    preload
        Names of modules that are imported once, for all workers.
    initializer
        Called in each worker before anything else.
    """

    def __init__(
        self,
        count: int,
        timeout: float | None = None,
        *,
        preload: Sequence[str] = (),
        initializer: Callable[[], None] | None = None,
    ) -> None:
        if not sys.executable:  # where Python is embedded in another program
            raise ReadingError(
                f"{_NO_START}: Python does not say where its program lies; set sys.executable, or "
                "read with an executor of your own"
            )
        self._timeout = timeout
        self._preload = tuple(preload)
        self._prepare = ForkingPickler.dumps((processes.prepare, (self._preload, initializer), {}))
        self._threads = ThreadPoolExecutor(count)
        self._wanted = self._most = count
        self._count = 0  # of those that there are, or that start
        self._all: set[Process] = set()
        self._idle: list[Process] = []
        self._changed = threading.Condition()
        self._stopped = False
        self._why_fewer: str | None = None
        processes.get_ready(self._preload)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._threads.shutdown()  # when all is done
        finally:
            with self._changed:
                self._stopped = True
                for worker in self._all:
                    worker.kill()
                self._changed.notify_all()
            self._threads.shutdown(cancel_futures=True)
            for worker in self._all:
                processes.close(worker)
        if kind is None and self._why_fewer is not None:  # else there is an error to be told
            log.warning("fewer than %d processes worked%s", self._wanted, self._why_fewer)

    def submit(
        self, function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> "Future[Result]":
        """Have a worker call the function.

        The future fails with `WorkerDiedError` when the worker dies of it, with TimeoutError
        when it hangs, and with `ReadingError` when no worker can be had.
        """
        try:
            return self._threads.submit(self._call, function, args, kwargs)
        except RuntimeError as problem:  # a thread is the least that this process needs
            raise ReadingError(f"{_NO_START}{_without('memory')}") from problem

    def _call(self, function: Callable[..., Result], *arguments: object) -> Result:
        call = ForkingPickler.dumps((function, *arguments))
        try:
            result, problem = self._answer_to(call)
        except WorkerDiedError:  # whatever it died of, it may not be the call
            result, problem = self._answer_to(call)
        if problem is not None:
            raise problem
        return result  # type: ignore[no-any-return]

    def _answer_to(self, call: Any) -> Any:
        worker = self._worker()
        while not _give(worker, call):  # it died while it was idle
            self._lose(worker)
            worker = self._worker()
        try:
            answer = _answer(worker, self._timeout)
        except BaseException:
            self._lose(worker)
            raise
        with self._changed:
            self._idle.append(worker)
            self._changed.notify()
        return answer

    def _worker(self) -> Process:
        """Return a worker that is idle, or a new one; wait where there can be no more."""
        while True:
            with self._changed:
                while not self._stopped and not self._idle and self._count >= self._most:
                    self._changed.wait()
                if self._stopped:
                    raise WorkerDiedError
                if self._idle:
                    return self._idle.pop()
                self._count += 1
            worker = self._started()
            if worker is not None:
                return worker

    def _started(self) -> Process | None:
        """Return a new worker; None when the machine gives no more, and others are there."""
        why = ": they end at once"
        try:
            for _ in range(_STARTS):
                with suppress(WorkerDiedError):
                    return self._start()
        except TimeoutError:
            why = ": they hang"
        except MemoryError:
            why = _without("memory")
        except Exception as problem:
            if not isinstance(problem, OSError) or problem.errno not in LACKING:
                self._lose(None)
                raise ReadingError(f"{_NO_START}: {type(problem).__name__}: {problem}") from problem
            why = _without(LACKING[problem.errno])
        self._do_with_fewer(why)
        return None

    def _start(self) -> Process:
        """Start a worker, and wait until it is ready: that is not the first call's time."""
        _leave_room()
        worker = processes.started(self._preload)
        with self._changed:
            self._all.add(worker)  # so that it is ended with the others while it starts
        try:
            if self._stopped or not _give(worker, self._prepare):
                raise WorkerDiedError
            _, problem = _answer(worker, processes.START_SECONDS)
            if problem is not None:
                raise problem
        except BaseException:
            with self._changed:
                self._all.discard(worker)
            processes.close(worker)
            raise
        return worker

    def _lose(self, worker: Process | None) -> None:
        """Do without a worker that is gone, hangs or did not start: another may start."""
        with self._changed:
            self._count -= 1
            self._all.discard(worker)
            self._changed.notify()
        if worker is not None:
            processes.close(worker)

    def _do_with_fewer(self, why: str) -> None:
        """Leave the work to the workers that there are; raise when there is none."""
        with self._changed:
            self._count -= 1
            none = self._count == 0
            self._most = max(1, self._count)
            self._changed.notify_all()
        if self._stopped:  # that is why it did not start
            raise WorkerDiedError
        if none:
            raise ReadingError(f"{_NO_START}{why}")
        self._why_fewer = self._why_fewer or why


def _without(lacking: str) -> str:
    return f" for want of {lacking}: end other programs, or raise the limit"


def _leave_room() -> None:
    """Raise what the system says when this process can open no more files beside a worker."""
    spare: list[int] = []
    try:
        spare.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(_SPARE_FILES))
    finally:
        for number in spare:
            os.close(number)


def _give(worker: Process, call: Any) -> bool:
    """Have a worker do a call; say whether it is still there to do so."""
    try:
        worker.pipe.send_bytes(call)
    except OSError:
        return False
    return True


def _answer(worker: Process, timeout: float | None) -> Any:
    """Return what a worker answers within `timeout` seconds."""
    try:
        if worker.pipe.poll(timeout):
            return worker.pipe.recv()
    except (EOFError, OSError) as problem:
        raise WorkerDiedError from problem
    raise TimeoutError


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


def get_ready(*modules: str) -> None:
    """Have modules imported for workers in another process, while this one goes on."""
    if sys.executable:
        processes.get_ready(modules)
