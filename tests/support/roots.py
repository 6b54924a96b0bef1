"""Roots for tests: a disk that refuses some of its files, and one that is slow to give them."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from errno import EIO
from os import strerror
from typing import BinaryIO

from sdindex.archive.roots import LocalRoot
from sdindex.archive.scan import ALL_PATHS, Found, Links, Span, Unlooked
from sdindex.archive.state import FileState


@dataclass(frozen=True, slots=True)
class FailingRoot(LocalRoot):
    """A folder of which some files, or whole folders (ending with a slash), are refused."""

    refused: frozenset[str] = frozenset()
    number: int = EIO

    def scan(
        self, under: str = "", *, span: Span = ALL_PATHS, links: Links | None = None
    ) -> Iterator[Found]:
        """Yield what is not refused, and what is as a place that could not be looked at."""
        return self._without_refused(LocalRoot.scan(self, under, span=span, links=links))

    def look_at(self, paths: Iterable[str]) -> Iterator[Found]:
        """Yield what is not refused, and what is as a place that could not be looked at."""
        return self._without_refused(LocalRoot.look_at(self, paths))

    def state(self, path: str) -> FileState:
        """Return a file's state, or refuse it."""
        self._refuse(path)
        return LocalRoot.state(self, path)

    def open(self, path: str) -> BinaryIO:
        """Open a file, or refuse it."""
        self._refuse(path)
        return LocalRoot.open(self, path)

    def _refuse(self, path: str) -> None:
        if self._refused(path):
            raise OSError(self.number, strerror(self.number), self.location(path))

    def _refused(self, path: str) -> str | None:
        ends = (path, *(path[: at + 1] for at, letter in enumerate(path) if letter == "/"))
        return next((end for end in ends if end in self.refused), None)

    def _without_refused(self, found: Iterator[Found]) -> Iterator[Found]:
        told: set[str] = set()
        for item in found:
            one_by_one: list[Found] = [item]
            if isinstance(item, list):
                one_by_one = [[file] for file in item]
            for one in one_by_one:
                refused = self._refused(one[0].path if isinstance(one, list) else one.path)
                if refused is None:
                    yield one
                elif refused not in told:
                    told.add(refused)
                    yield Unlooked(refused, strerror(self.number), failing=self.number == EIO)


@dataclass(frozen=True, slots=True)
class SlowRoot(LocalRoot):
    """A folder of which each file takes some time to look at, and to open."""

    seconds: float = 0.001

    def scan(
        self, under: str = "", *, span: Span = ALL_PATHS, links: Links | None = None
    ) -> Iterator[Found]:
        """Yield what is there, slowly."""
        for item in LocalRoot.scan(self, under, span=span, links=links):
            time.sleep(self.seconds)
            yield item

    def open(self, path: str) -> BinaryIO:
        """Open a file, slowly."""
        time.sleep(self.seconds)
        return LocalRoot.open(self, path)


@dataclass(frozen=True)
class ActingRoot(LocalRoot):
    """A folder that does something before it opens a file; in this process alone."""

    act: Callable[[str], object] = str

    def open(self, path: str) -> BinaryIO:
        """Act, then open the file."""
        self.act(path)
        return LocalRoot.open(self, path)
