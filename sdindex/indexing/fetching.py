"""Files that are far: many are fetched at once by threads, and few processes decode them.

To hide the time that a request takes, many must be under way; a process for each would cost
memory and switching, and decoding needs no more of them than there are processors. The bytes go to
the decoding processes, so that a file that kills its decoder costs that file alone, here, too.
"""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Self

from sdindex.archive.roots import Files, NotFetchedError, Root
from sdindex.hashing.methods import Method, head_of
from sdindex.hashing.picture import PRELOAD, ImageRead, get_ready, read_image
from sdindex.workers import Workers


class Fetching:
    """A pool that reads the files of far roots.

    Parameters
    ----------
    requests
        How many files are fetched at once; memory holds so many.
    timeout
        Seconds that decoding one may take.
    """

    def __init__(self, requests: int, timeout: float) -> None:
        self._stack = ExitStack()
        decoders = Workers(
            min(requests, os.cpu_count() or 1), timeout, preload=PRELOAD, initializer=get_ready
        )
        self._decoders = self._stack.enter_context(decoders)
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
        self, _: Any, /, root: Root, path: str, method: Method, *, whole: bool = False
    ) -> "Future[ImageRead]":
        """Have a file fetched and decoded; see `sdindex.hashing.picture.read_image`."""
        return self._threads.submit(self._read, root, path, method, whole=whole)

    def _read(self, root: Root, path: str, method: Method, *, whole: bool) -> ImageRead:
        read = partial(self._decoded, path=path, method=method, whole=whole)
        try:
            return read(root.fetched(path, head_of(method, whole=whole)))
        except NotFetchedError:
            return read(root.fetched(path))

    def _decoded(self, file: Files, path: str, method: Method, *, whole: bool) -> ImageRead:
        return self._decoders.submit(read_image, file, path, method, whole=whole).result()
