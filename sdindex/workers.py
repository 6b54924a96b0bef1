"""`Workers`: a pool of processes in which a crash or a hang costs one call."""

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

# Re-exported, as callers of this pool catch it.
from sdindex.processes import WorkerDiedError as WorkerDiedError

IN_FLIGHT_PER_WORKER = 4  # calls: enough that no worker waits for its next file
_STARTS = 3  # a process may be killed while it starts; this many in a row is no accident
_SPARE_FILES = 8  # files that this process must be able to open when all workers have started
_NO_START = "the program's own processes do not start"

log = logging.getLogger("sdindex")

P = ParamSpec("P")
Job = TypeVar("Job")
Result = TypeVar("Result")


class Workers:
    """A pool of processes in which a crash or a hang costs the one call that caused it.

    Each process has a pipe of its own, so that one that dies does not affect the others, and it is
    known which call it had in hand. Where the machine gives fewer processes than wanted, these do
    the work.

    Parameters
    ----------
    count
        How many processes, at most; each starts when there is a call for it.
    timeout
        Seconds that a call may take once a worker has it; then the worker is killed. None is no
        limit.
    preload
        Names of modules that are imported once, for all workers.
    initializer
        Called in each worker before its first call.
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
        self._count = 0  # workers that run or start
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
                self._threads.shutdown()  # set when all calls are done
        finally:
            with self._changed:
                self._stopped = True
                for worker in self._all:
                    worker.kill()
                self._changed.notify_all()
            self._threads.shutdown(cancel_futures=True)
            for worker in self._all:
                processes.close(worker)
        if kind is None and self._why_fewer is not None:  # else an error is raised, which tells it
            log.warning("fewer than %d processes worked%s", self._wanted, self._why_fewer)

    def submit(
        self, function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> "Future[Result]":
        """Have a worker call the function.

        The future raises WorkerDiedError when the worker dies of the call, TimeoutError when the
        call hangs, and ReadingError when no worker starts.
        """
        try:
            return self._threads.submit(self._call, function, args, kwargs)
        except RuntimeError as problem:  # a thread is the least that this process needs
            raise ReadingError(f"{_NO_START}{_without('memory')}") from problem

    def _call(self, function: Callable[..., Result], *arguments: object) -> Result:
        call = ForkingPickler.dumps((function, *arguments))
        try:
            result, problem = self._answer_to(call)
        except WorkerDiedError:  # it may have died of something else than the call
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
        """Return an idle worker, or a new one; wait where all are busy and no more can start."""
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
        """Return a new worker; None when the machine gives no more, and others run."""
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
        """Start a worker and wait until it is ready: its first call is not charged with that."""
        _leave_room()
        worker = processes.started(self._preload)
        with self._changed:
            self._all.add(worker)  # so that it is ended with the others if that comes now
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
        """Drop a worker that is gone, hangs or did not start; another may start in its place."""
        with self._changed:
            self._count -= 1
            self._all.discard(worker)
            self._changed.notify()
        if worker is not None:
            processes.close(worker)

    def _do_with_fewer(self, why: str) -> None:
        """Go on with the workers that run; raise when there is none."""
        with self._changed:
            self._count -= 1
            none = self._count == 0
            self._most = max(1, self._count)
            self._changed.notify_all()
        if self._stopped:  # the reason why it did not start
            raise WorkerDiedError
        if none:
            raise ReadingError(f"{_NO_START}{why}")
        self._why_fewer = self._why_fewer or why


def _without(lacking: str) -> str:
    return f" for want of {lacking}: end other programs, or raise the limit"


def _leave_room() -> None:
    """Raise the system's error when this process could open too few files beside another worker."""
    spare: list[int] = []
    try:
        spare.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(_SPARE_FILES))
    finally:
        for number in spare:
            os.close(number)


def _give(worker: Process, call: Any) -> bool:
    """Send a call to a worker; say whether the worker is still there."""
    try:
        worker.pipe.send_bytes(call)
    except OSError:
        return False
    return True


def _answer(worker: Process, timeout: float | None) -> Any:
    """Return a worker's answer, or raise TimeoutError after `timeout` seconds."""
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

    At most `in_flight` jobs are under way at once. None is yielded when nothing finished for
    `wait_seconds`, so that the caller can do what cannot wait.
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
    """Yield futures in the order in which they are made; up to `in_flight` run ahead."""
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
    """Have the fork server import modules for workers, while this process goes on."""
    if sys.executable:
        processes.get_ready(modules)
