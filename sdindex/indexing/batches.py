"""`Batches`: gives files, in batches, to an executor, which may run on many machines.

The executor only moves batches: wherever it runs one, a process of this program reads it. So a file
that crashes its reader, or hangs, costs no other file and no worker.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, wait
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple
from uuid import uuid4

from sdindex.archive.roots import Root
from sdindex.errors import ReadingError
from sdindex.hashing.methods import Method, head_of
from sdindex.hashing.picture import PRELOAD, ImageRead, get_ready, read_image
from sdindex.indexing.executors import FileByFile

SECONDS = 0.5  # that a batch should take: long beside the cost of moving it
LEAST_FILES, MOST_FILES = 2, 256  # of a batch; a single file does not tell how long one takes
FIRST_FILES = 8  # files of the first batches, while it is not known how long a file takes
AHEAD = 20_000  # files that are at hand at once, so that batches are full
_BATCHES_A_SLOT = 2  # batches for each slot: one that is read, and the next
_REQUESTS = 16  # files of a batch that are fetched at once, where they are far
_LOOK_SECONDS = 1.0  # without a finished batch, before waiting files are sent
_GATHER_SECONDS = 0.02  # until files are sent that do not fill a batch
_PACKAGES = ("sdindex", "pillow")  # of one version everywhere, or hashes differ

Versions = tuple[str, ...]
File = tuple[Root, str]  # a root that gives it as it was listed, and its path
_Done = tuple["Future[ReadBatch]", list["Future[ImageRead]"]]
_How = tuple[Method, dict[str, bool]]


def versions() -> Versions:
    """Return the versions of the packages that decide on a hash."""
    return tuple(f"{package} {version(package)}" for package in _PACKAGES)


class ReadBatch(NamedTuple):
    """The results of a batch's files, in their order, and the seconds that each took."""

    results: list[ImageRead | BaseException]
    seconds: float


def read_batch(
    files: list[File], method: Method, timeout: float, options: dict[str, bool],
    expected: Versions, batch: str,
) -> ReadBatch:  # fmt: skip
    """Read files in a process of their own. An executor's worker runs this.

    `batch` is a unique name, as an engine that caches answers of equal calls, such as Dask's
    executor, would not read a changed file again.

    Raises
    ------
    ReadingError
        When the worker's versions are not `expected`.
    """
    if versions() != expected:  # the worker came after the others were checked
        raise ReadingError(f"a worker of the engine has {', '.join(versions())}{_not(expected)}")
    with _pool(files[0][0], method, timeout, options) as submit:
        futures = [submit(read_image, root, path, method, **options) for root, path in files]
        wait(futures[:1])
        started = time.monotonic()  # what only the first file costs does not count for the others
        results = [future.exception() or future.result() for future in futures]
        return ReadBatch(results, (time.monotonic() - started) / max(1, len(files) - 1))


@contextmanager
def _pool(
    root: Root, method: Method, timeout: float, options: dict[str, bool]
) -> Iterator[Callable[..., "Future[ImageRead]"]]:
    """Give what reads files in a process that has started, so that its start does not count."""
    from sdindex.indexing.fetching import Fetching
    from sdindex.workers import Workers

    ready: Any = {"preload": PRELOAD, "initializer": get_ready}
    if root.is_far:
        head = head_of(method, whole=options.get("whole", False))
        with Fetching(_REQUESTS, timeout, processes=1, **ready) as far:
            wait([far.workers.submit(int)])
            yield partial(far.submit, head=head)
    else:
        with Workers(1, timeout, **ready) as pool:
            wait([pool.submit(int)])
            yield pool.submit


def look(root: Root, path: str) -> tuple[Versions, int | str]:
    """Return this worker's versions, and a file's size, or why it cannot be read here."""
    try:
        return versions(), root.state(path).size
    except OSError as problem:
        return versions(), problem.strerror or str(problem)


def why_not(answer: Any, root: Root, path: str) -> str | None:
    """Return why a worker with this answer to `look` cannot be used; None if it can."""
    if isinstance(answer, BaseException):
        return f"has no sdindex that can be used ({type(answer).__name__}: {answer})"
    found, size = answer
    if found != versions():
        return f"has {', '.join(found)}{_not(versions())}"
    if size != root.state(path).size:
        return f"does not see {root.location()} as it is here; mount it there under the same path"
    return None


def _not(expected: Versions) -> str:
    return f", and not {', '.join(expected)}: install the same there"


class Batches(FileByFile):
    """Gives files to an executor in batches; a bounded number is under way at a time.

    Parameters
    ----------
    executor
        The executor: it runs calls on any machine, each one anew.
    slots
        Returns how many batches the executor can read at once, now.
    require
        Called with a root and a path: raises ReadingError when its workers cannot read that file.
    timeout
        Seconds after which reading a file is given up.
    """

    def __init__(
        self,
        executor: Executor,
        slots: Callable[[], int],
        require: Callable[[Root, str], object],
        timeout: float,
    ) -> None:
        self._executor = executor
        self._slots = slots
        self._require = require
        self._timeout = timeout
        self._versions = versions()
        self._lock = threading.RLock()
        self._waiting: deque[tuple[_How, File, Future[ImageRead]]] = deque()
        self._sent: set[Future[ReadBatch]] = set()
        self._size = FIRST_FILES
        self._seen: str | None = None
        self._ended = False
        self._done: SimpleQueue[_Done | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._take_all, daemon=True)
        self._thread.start()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Have a file read: the function must be `read_image`."""
        root, path, method = args
        if root.location() != self._seen:
            self._require(root, path)
            self._seen = root.location()
        future: Future[ImageRead] = Future()
        with self._lock:
            self._waiting.append(((method, kwargs), (root, path), future))
            if len(self._waiting) == 1:
                self._done.put(None)  # it is sent with those that come after it
        return future

    def _send(self) -> None:
        """Send batches while the executor has room, and files wait."""
        slots = max(1, self._slots())
        with self._lock:
            while self._waiting and len(self._sent) < slots * _BATCHES_A_SLOT:
                what = self._waiting[0][0]
                even = len(self._waiting) // slots  # the last ones end together
                most = max(1, min(self._size, even))
                batch: list[tuple[File, Future[ImageRead]]] = []
                while self._waiting and len(batch) < most and self._waiting[0][0] == what:
                    batch.append(self._waiting.popleft()[1:])
                self._submit(what, batch)

    def _submit(self, what: _How, batch: list[tuple[File, "Future[ImageRead]"]]) -> None:
        method, options = what
        files = [file for file, _ in batch]
        try:
            sent = self._executor.submit(
                read_batch, files, method, self._timeout, options, self._versions, uuid4().hex
            )
        except Exception as problem:  # noqa: BLE001  (each file's future raises it)
            sent = Future()
            sent.set_exception(problem)
        self._sent.add(sent)
        futures = [future for _, future in batch]
        sent.add_done_callback(lambda done: self._done.put((done, futures)))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Send no more batches; those under way are left to the executor."""
        with self._lock:
            self._waiting.clear()
            under_way = list(self._sent)
        self._ended = True
        self._done.put(None)
        self._thread.join()
        for sent in under_way if cancel_futures else ():
            sent.cancel()

    def _take_all(self) -> None:
        """Take finished batches, in a thread of our own: one of the engine's may have to wait."""
        pause = _LOOK_SECONDS
        while True:
            try:
                taken = self._done.get(timeout=pause)
            except Empty:
                pause = _LOOK_SECONDS
                self._send()  # and let `slots` report that there are no workers
                continue
            if self._ended:
                return
            if taken is None:
                pause = _GATHER_SECONDS
            else:
                self._take(*taken)

    def _take(self, done: "Future[ReadBatch]", futures: list["Future[ImageRead]"]) -> None:
        with self._lock:
            self._sent.discard(done)
        problem = CancelledError() if done.cancelled() else done.exception()
        results = done.result().results if problem is None else [problem] * len(futures)
        if len(results) >= LEAST_FILES and all(isinstance(result, ImageRead) for result in results):
            seconds = max(done.result().seconds, SECONDS / MOST_FILES)
            self._size = max(LEAST_FILES, int(SECONDS / seconds))
        for future, result in zip(futures, results, strict=True):
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._send()


@contextmanager
def reading_by(executor: Executor, workers: int, timeout: float) -> Iterator[Batches]:
    """Give the `Batches` of an executor of the caller's.

    Python's own executors tell how many batches they run at once; for others `workers` says it.
    """
    slots = getattr(executor, "_max_workers", workers)  # there is no public attribute
    batches = Batches(executor, lambda: slots, lambda root, path: None, timeout)
    try:
        yield batches
    finally:
        batches.shutdown(cancel_futures=True)
