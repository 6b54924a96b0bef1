"""Files in batches for an engine of many machines: it moves them, and reads none itself.

A batch is read by processes of this program's own, one at a time, wherever the engine runs it:
a file that crashes its reader or hangs costs itself, and no other file or worker.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from importlib.metadata import version
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from sdindex.archive.roots import Root
from sdindex.errors import ReadingError
from sdindex.hashing.methods import Method
from sdindex.hashing.picture import PRELOAD, ImageRead, get_ready, read_image

SECONDS = 0.5  # that a batch is to take: long beside what it costs to move it
MOST_FILES = 256  # of a batch
AHEAD = 20_000  # files that are at hand, so that batches are full
_BATCHES_A_SLOT = 2  # one that is read, and the next
_LOOK_SECONDS = 1.0  # without a batch
_PACKAGES = ("sdindex", "pillow")  # that must be the same everywhere, or hashes might differ

Versions = tuple[str, ...]
_Done = tuple["Future[ReadBatch]", list["Future[ImageRead]"]]


def versions() -> Versions:
    """Return the versions of what decides on a hash."""
    return tuple(f"{package} {version(package)}" for package in _PACKAGES)


class ReadBatch(NamedTuple):
    """What came of the files of a batch, in their order, and how long it took."""

    results: list[ImageRead | Exception]
    seconds: float


def read_batch(
    root: Root, paths: list[str], method: Method, timeout: float, options: dict[str, bool],
    expected: Versions,
) -> ReadBatch:  # fmt: skip
    """Read files in a process of their own; the work of an engine's worker.

    Raises
    ------
    ReadingError
        When the worker has other versions than those that are expected.
    """
    from sdindex.workers import WorkerDiedError, Workers

    if versions() != expected:  # it came after the others were looked at
        raise ReadingError(f"a worker of the engine has {', '.join(versions())}{_not(expected)}")
    started = time.monotonic()
    results: list[ImageRead | Exception] = []
    with Workers(1, timeout, preload=PRELOAD, initializer=get_ready) as pool:
        for path in paths:
            try:
                results.append(pool.submit(read_image, root, path, method, **options).result())
            except (WorkerDiedError, OSError, MemoryError) as problem:
                results.append(problem)
    return ReadBatch(results, time.monotonic() - started)


def look(root: Root, path: str) -> tuple[Versions, int | str]:
    """Return a worker's versions, and the size of a file, or why it is not to be had there."""
    try:
        return versions(), root.state(path).size
    except OSError as problem:
        return versions(), problem.strerror or str(problem)


def why_not(answer: Any, root: Root, path: str) -> str | None:
    """Return why a worker that answered `look` so cannot be used; None when it can."""
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


class Batches(Executor):
    """Gives files to an executor in batches, a bounded number of them at a time.

    Parameters
    ----------
    executor
        The engine's; it calls what it is given on any machine, each time anew.
    slots
        Returns how many batches the engine reads at once, now.
    require
        Raises a ReadingError when the engine's workers cannot read a file of a root.
    timeout
        Seconds that a file may take.
    """

    def __init__(
        self,
        executor: Executor,
        slots: Callable[[], int],
        require: Callable[[Root, str], None],
        timeout: float,
    ) -> None:
        self._executor = executor
        self._slots = slots
        self._require = require
        self._timeout = timeout
        self._versions = versions()
        self._lock = threading.RLock()
        self._waiting: deque[tuple[tuple[Any, ...], str, Future[ImageRead]]] = deque()
        self._under_way = 0
        self._size = 1
        self._seen: Root | None = None
        self._done: SimpleQueue[_Done | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._take_all, daemon=True)
        self._thread.start()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Have a file read, as `read_image` is called; other functions cannot be called."""
        root, path, method = args
        if root != self._seen:
            self._require(root, path)
            self._seen = root
        future: Future[ImageRead] = Future()
        with self._lock:
            self._waiting.append(((root, method, kwargs), path, future))
        self._send()
        return future

    def _send(self) -> None:
        """Send batches while the engine has room, and files wait."""
        window = max(1, self._slots()) * _BATCHES_A_SLOT
        with self._lock:
            while self._waiting and self._under_way < window:
                what = self._waiting[0][0]
                batch: list[tuple[str, Future[ImageRead]]] = []
                while self._waiting and len(batch) < self._size and self._waiting[0][0] == what:
                    batch.append(self._waiting.popleft()[1:])
                self._under_way += 1
                self._submit(what, batch)

    def _submit(self, what: tuple[Any, ...], batch: list[tuple[str, "Future[ImageRead]"]]) -> None:
        root, method, options = what
        paths = [path for path, _ in batch]
        try:
            sent = self._executor.submit(
                read_batch, root, paths, method, self._timeout, options, self._versions
            )
        except Exception as problem:  # noqa: BLE001  (told by each file's future)
            sent = Future()
            sent.set_exception(problem)
        futures = [future for _, future in batch]
        sent.add_done_callback(lambda done: self._done.put((done, futures)))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Send no more batches; those that are under way are the engine's."""
        with self._lock:
            self._waiting.clear()
        self._done.put(None)
        self._thread.join()

    def _take_all(self) -> None:
        """Take batches as they are done: not in a thread of the engine's, which may wait for it."""
        while True:
            try:
                taken = self._done.get(timeout=_LOOK_SECONDS)
            except Empty:
                self._slots()  # which says so when there are none
                continue
            if taken is None:
                return
            self._take(*taken)

    def _take(self, done: "Future[ReadBatch]", futures: list["Future[ImageRead]"]) -> None:
        with self._lock:
            self._under_way -= 1
        problem = None
        try:
            results, seconds = done.result()
        except BaseException as failed:  # noqa: BLE001  (a CancelledError is no Exception)
            problem = failed
            results = []
        if problem is None and all(isinstance(result, ImageRead) for result in results):
            files = int(SECONDS * len(results) / max(seconds, 1e-6))
            self._size = max(1, min(files, MOST_FILES))
        for number, future in enumerate(futures):
            result = problem or results[number]
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
        if problem is None:
            self._send()
