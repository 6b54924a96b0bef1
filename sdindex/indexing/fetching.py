"""Files that are far: many are fetched at once by threads, and few processes decode them.

To hide the time that a request takes, many must be under way; a process for each would cost
memory and switching, and decoding needs no more of them than there are processors. The bytes go to
the decoding processes, so that a file that kills its decoder costs that file alone, here, too.
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
    """Processes that are given files, of which those that are far are fetched before.

    Parameters
    ----------
    requests
        How many files are fetched at once; memory holds so many.
    processes
        How many decode them; as many as there are processors by default.
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
        """Have a function called with a file's root, or the file, and its path.

        `head` is how many bytes from its start will do, as a rule; more are fetched where the
        function reads them.
        """

        def fetched_and_called() -> Any:
            try:
                file = root.fetched(path, head)
                return self.workers.submit(function, file, path, *args, **kwargs).result()
            except NotFetchedError:
                file = root.fetched(path)
                return self.workers.submit(function, file, path, *args, **kwargs).result()

        return self._threads.submit(fetched_and_called)
