"""Listing the folders of an object store in order: several at once, never all in memory."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from errno import EIO
from itertools import chain, islice
from threading import Semaphore

from sdindex.archive.names import from_text
from sdindex.archive.object_stores import Object, ObjectStore, in_order
from sdindex.archive.scan import Span, Unlooked, reason

LOOK_AFTER = "look after the store, and index again"
_LISTINGS = 16  # folders that are listed at once
_PAGES_AHEAD = 4  # pages that each of them may have ready


@dataclass(frozen=True, slots=True)
class Failed:
    """A folder whose listing failed, perhaps half-way."""

    prefix: str
    problem: OSError

    def unlooked(self, path: str) -> Unlooked:
        """Return it as a folder that could not be looked at, with its path."""
        failing = self.problem.errno == EIO
        return Unlooked(path, reason(self.problem), failing=failing, way_out=LOOK_AFTER)


_Listed = Iterator[list[Object] | Failed]


def in_span(store: ObjectStore, prefix: str, start: str, span: Span) -> _Listed:
    """Yield the objects below a folder whose paths lie in a span, in order."""
    first = start + from_text(span.start)
    end = None if span.end is None else start + from_text(span.end)
    try:
        for page in store.below(prefix, first[:-1] if first > prefix else ""):
            yield page
            if end is not None and page and page[-1].key >= end:
                return
    except OSError as problem:
        yield Failed(prefix, problem)


class _Stream:
    """The listing of a folder, made by a thread, which is a few pages ahead of the reader."""

    def __init__(self, store: ObjectStore, prefix: str, threads: ThreadPoolExecutor) -> None:
        self._room = Semaphore(_PAGES_AHEAD)
        self._ready = Semaphore(0)
        self._pages: deque[list[Object] | Failed | None] = deque()
        self._stopped = False
        threads.submit(self._list, store, prefix)

    def __iter__(self) -> _Listed:
        while True:
            self._ready.acquire()
            page = self._pages.popleft()
            if page is None:
                return
            self._room.release()
            yield page

    def stop(self) -> None:
        """End the thread: nobody needs the other pages."""
        self._stopped = True
        self._room.release()

    def _list(self, store: ObjectStore, prefix: str) -> None:
        last: Failed | None = None
        try:
            for page in store.below(prefix):
                self._room.acquire()
                if self._stopped:
                    return
                self._put(page)
        except OSError as problem:
            last = Failed(prefix, problem)
        except BaseException as problem:
            last = Failed(prefix, OSError(EIO, f"{type(problem).__name__}: {problem}"))
            raise
        finally:
            if last is not None:
                self._put(last)
            self._put(None)

    def _put(self, page: list[Object] | Failed | None) -> None:
        self._pages.append(page)
        self._ready.release()


def side_by_side(store: ObjectStore, prefix: str) -> _Listed:
    """Yield the objects below a folder in order, while the folders after them are listed."""
    ahead: deque[_Stream | list[Object] | Failed] = deque()
    threads = ThreadPoolExecutor(_LISTINGS)

    def begun(item: str | list[Object] | Failed) -> _Stream | list[Object] | Failed:
        return _Stream(store, item, threads) if isinstance(item, str) else item

    coming = map(begun, _level(store, prefix))
    try:
        ahead.extend(islice(coming, _LISTINGS))
        while ahead:
            if isinstance(ahead[0], _Stream):
                yield from ahead[0]
            else:
                yield ahead[0]
            ahead.popleft()
            ahead.extend(islice(coming, 1))
    finally:
        for stream in ahead:
            if isinstance(stream, _Stream):
                stream.stop()
        threads.shutdown(wait=False, cancel_futures=True)  # a request that hangs is not waited for


def _level(store: ObjectStore, prefix: str) -> Iterator[str | list[Object] | Failed]:
    """Yield what lies in a folder, in order; if that is one folder alone, what lies in it."""
    try:
        while True:
            pages = store.level(prefix)
            first = list(islice(pages, 2))
            page = first[0]
            if len(first) > 1 or page.objects or len(page.folders) != 1:
                break
            prefix = page.folders[0]
        for page in chain(first, pages):
            yield from in_order(page)
    except OSError as problem:
        yield Failed(prefix, problem)
