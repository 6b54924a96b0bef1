"""Processes that read images, a bounded number of files in flight, each in isolation."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from traceback import format_exc
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

# A signal that ends an import may leave the lock of all imports taken. So no thread is to import
# anything, and what multiprocessing would import to start a process is imported here.
if sys.platform == "win32":
    from multiprocessing import popen_spawn_win32  # noqa: F401
else:
    from multiprocessing import popen_forkserver  # noqa: F401

from sdindex.errors import UsageError

IN_FLIGHT_PER_WORKER = 4  # enough that no worker waits for its next file
_START_SECONDS = 30.0
_FAILED_STARTS = 3  # a process may be killed while it starts; so many in a row are no accident
_BLAS_THREADS = "OPENBLAS_NUM_THREADS"
_END_SECONDS = 1.0  # a killed process may stay, while the system waits for a disk on its behalf

P = ParamSpec("P")
Job = TypeVar("Job")
Result = TypeVar("Result")


class WorkerDiedError(Exception):
    """The process that had the call in hand is gone."""


class Workers:
    """A pool of processes in which a crash or a hang costs the one file that caused it.

    Each process has a thread and a pipe of its own: what happens to one is nothing to the
    others, and there is no doubt which call it had in hand.

    Parameters
    ----------
    count
        How many processes.
    timeout
        Seconds that a call may take, from when a worker has it: then the worker is killed.
        As long as it likes when it is None.
    """

    def __init__(self, count: int, timeout: float | None = None) -> None:
        self._timeout = timeout
        self._context = _context()
        self._threads = ThreadPoolExecutor(count)
        self._own = threading.local()  # each thread's worker
        self._all: set[_Worker] = set()
        self._changing = threading.Lock()  # who starts a worker, or stops them all
        self._stopped = False
        self._failed_starts = 0  # in a row

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
            with self._changing:
                self._stopped = True
                for worker in self._all:
                    worker.kill()
            self._threads.shutdown(cancel_futures=True)
            for worker in self._all:
                worker.close()

    def submit(
        self, function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> "Future[Result]":
        """Have a worker call the function.

        The future fails with `WorkerDiedError` when the worker dies of it, and with
        TimeoutError when it hangs.
        """
        return self._threads.submit(self._call, function, args, kwargs)

    def _call(self, function: Callable[..., Result], *arguments: object) -> Result:
        worker: _Worker | None = getattr(self._own, "worker", None)
        if worker is None or not worker.give(function, *arguments):
            worker = self._own.worker = self._started()
            worker.give(function, *arguments)
        try:
            result, problem = worker.answer(self._timeout)
        except (WorkerDiedError, TimeoutError):
            self._own.worker = None
            with self._changing:
                self._all.discard(worker)
            worker.close()
            raise
        if problem is not None:
            raise problem
        return result  # type: ignore[no-any-return]

    def _started(self) -> "_Worker":
        try:
            with self._changing:
                if self._stopped:
                    raise WorkerDiedError
                worker = _Worker(self._context)
                self._all.add(worker)
            worker.answer(_START_SECONDS)  # or its start would count as the first file's time
        except (TimeoutError, WorkerDiedError) as problem:
            self._failed_starts += 1
            if isinstance(problem, TimeoutError) or self._failed_starts >= _FAILED_STARTS:
                raise UsageError(
                    "the processes that read images do not start; a script that uses them is a "
                    'file, and calls them below: if __name__ == "__main__":'
                ) from problem
            raise
        self._failed_starts = 0
        return worker


class _Worker:
    """A process, and this end of the pipe to it."""

    def __init__(self, context: Any) -> None:
        self._pipe, its_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(its_end,), daemon=True)
        try:
            self._process.start()
        except (EOFError, ConnectionError) as problem:  # their server is gone
            raise WorkerDiedError from problem
        its_end.close()  # so that the pipe ends when the process does

    def give(self, *call: object) -> bool:
        """Have it call a function; say whether it is still there to do so."""
        try:
            self._pipe.send(call)
        except OSError:
            return False
        return True

    def answer(self, timeout: float | None) -> Any:
        """Return what it answers within `timeout` seconds."""
        try:
            if self._pipe.poll(timeout):
                return self._pipe.recv()
        except (EOFError, OSError) as problem:
            raise WorkerDiedError from problem
        raise TimeoutError

    def kill(self) -> None:
        """End it at once: it has nothing to tidy up."""
        self._process.kill()

    def close(self) -> None:
        """End it, and let go of it."""
        self.kill()
        self._process.join(_END_SECONDS)
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
    """Have what workers are made of imported in another process, while this one goes on.

    `modules` are those that are wanted beside what reads images.
    """
    _context(*modules)


def _context(*modules: str) -> Any:
    """Return how processes start: never by a fork of this one, which may have threads."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # Imported once, not once a worker.
    context.set_forkserver_preload(["sdindex.hashing.image", *modules])
    resource_tracker.ensure_running()
    with _inherited_by_workers():
        forkserver.ensure_running()
    return context


@contextmanager
def _inherited_by_workers() -> Iterator[None]:
    """Set what the server of the workers is to start with, and take it back."""
    # So that Ctrl-C does not meet it while it still imports; here it waits meanwhile.
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    # Numpy's threads, a pool in each worker, do nothing for a hash and cost time to start.
    threads_unsaid = _BLAS_THREADS not in os.environ
    if threads_unsaid:
        os.environ[_BLAS_THREADS] = "1"
    try:
        yield
    finally:
        if threads_unsaid:
            del os.environ[_BLAS_THREADS]
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _serve(pipe: "Connection[Any, Any]") -> None:
    """Be a worker: call what comes, and answer with the result or the error.

    Ctrl-C reaches every process of the terminal, and is left to the main one.
    """
    from sdindex.hashing.image import note_warnings  # imported when the server was, for all workers

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    note_warnings()
    with suppress(EOFError, ConnectionError):  # the main process is done, or gone
        pipe.send(None)
        while True:
            function, args, kwargs = pipe.recv()
            pipe.send(_answer(function, args, kwargs))


def _answer(
    function: Callable[..., Result], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Result | None, Exception | None]:
    try:
        return function(*args, **kwargs), None
    except Exception as problem:  # noqa: BLE001  (it is raised where the function was wanted)
        problem.add_note(format_exc())
        return None, problem


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however that ended.

    One that waits for its next file sees that by itself; one that hangs in a read does not.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
