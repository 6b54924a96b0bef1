"""`Fetching`: threads fetch far files, many at once; a few processes decode them.

Many requests must be under way to hide their waiting time, and a process for each would cost
memory; decoding needs no more processes than there are processors. The bytes go to these processes,
so that a file that crashes its decoder costs only itself.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from sdindex.archive.roots import NotFetchedError, Root
from sdindex.workers import Workers


class Fetching:
    """A pool of processes for files; far files are first fetched by threads.

    Parameters
    ----------
    requests
        How many files are fetched at once; as many are in memory.
    processes
        How many processes decode; by default one for each processor.
    timeout, preload, initializer
        Those of the processes: see `sdindex.workers.Workers`.
    """

    def __init__(
        self,
        requests: int,
        timeout: float,
        *,
        processes: int | None = None,
        preload: Sequence[str],
        initializer: Callable[[], None],
    ) -> None:
        self._stack = ExitStack()
        count = processes or min(requests, os.cpu_count() or 1)
        pool = Workers(count, timeout, preload=preload, initializer=initializer)
        self.workers = self._stack.enter_context(pool)
        self._threads = ThreadPoolExecutor(requests)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown(wait=kind is None, cancel_futures=True)
        self._stack.__exit__(kind, problem, trace)

    def submit(
        self,
        function: Callable[..., Any],
        root: Root,
        path: str,
        *args: Any,
        head: int | None = None,
        **kwargs: Any,
    ) -> "Future[Any]":
        """Have a function called with a root (or a fetched file) and a path, in a process.

        `head` is how many bytes from the start are mostly enough; the others are fetched if the
        function needs them.
        """

        def fetched_and_called() -> Any:
            try:
                file = root.fetched(path, head)
                return self.workers.submit(function, file, path, *args, **kwargs).result()
            except NotFetchedError:
                file = root.fetched(path)
                return self.workers.submit(function, file, path, *args, **kwargs).result()

        return self._threads.submit(fetched_and_called)
