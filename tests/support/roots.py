"""Roots for tests: a disk that refuses some of its files, one slow, one unplugged, one far."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from errno import EIO
from os import strerror
from typing import BinaryIO

from sdindex.archive.beside import Beside
from sdindex.archive.names import from_text, to_text
from sdindex.archive.roots import Identity, LocalRoot
from sdindex.archive.scan import ALL_PATHS, Found, Links, OfOthers, Span, Unlooked
from sdindex.archive.state import FileState


@dataclass(frozen=True, slots=True)
class FailingRoot(LocalRoot):
    """A folder of which some files, or whole folders (ending with a slash), are refused."""

    refused: frozenset[str] = frozenset()
    number: int = EIO

    def scan(
        self,
        under: str = "",
        *,
        span: Span = ALL_PATHS,
        links: Links | None = None,
        excluded: tuple[str, ...] = (),
    ) -> Iterator[Found]:
        """Yield what is not refused, and what is as a place that could not be looked at."""
        return self._without_refused(
            LocalRoot.scan(self, under, span=span, links=links, excluded=excluded)
        )

    def look_at(self, paths: Iterable[str]) -> Iterator[Found]:
        """Yield what is not refused, and what is as a place that could not be looked at."""
        return self._without_refused(LocalRoot.look_at(self, paths))

    def state(self, path: str) -> FileState:
        """Return a file's state, or refuse it."""
        self._refuse(path)
        return LocalRoot.state(self, path)

    def open(self, path: str, head: int | None = None) -> BinaryIO:
        """Open a file, or refuse it."""
        self._refuse(path)
        return LocalRoot.open(self, path, head)

    def _refuse(self, path: str) -> None:
        if self._refused(path):
            raise OSError(self.number, strerror(self.number), self.location(path))

    def _refused(self, path: str) -> str | None:
        ends = (path, *(path[: at + 1] for at, letter in enumerate(path) if letter == "/"))
        return next((end for end in ends if end in self.refused), None)

    def _without_refused(self, found: Iterator[Found]) -> Iterator[Found]:
        told: set[str] = set()
        for item in found:
            if isinstance(item, Beside | OfOthers):
                yield item
                continue
            one_by_one: list[Found] = [item]
            if isinstance(item, list):
                one_by_one = [[file] for file in item]
            for one in one_by_one:
                assert not isinstance(one, Beside | OfOthers)
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
        self,
        under: str = "",
        *,
        span: Span = ALL_PATHS,
        links: Links | None = None,
        excluded: tuple[str, ...] = (),
    ) -> Iterator[Found]:
        """Yield what is there, slowly."""
        for item in LocalRoot.scan(self, under, span=span, links=links, excluded=excluded):
            time.sleep(self.seconds)
            yield item

    def open(self, path: str, head: int | None = None) -> BinaryIO:
        """Open a file, slowly."""
        time.sleep(self.seconds)
        return LocalRoot.open(self, path, head)


@dataclass(frozen=True, slots=True)
class UnpluggedRoot(LocalRoot):
    """A folder that goes away once a scan has given something of it."""

    def scan(
        self,
        under: str = "",
        *,
        span: Span = ALL_PATHS,
        links: Links | None = None,
        excluded: tuple[str, ...] = (),
    ) -> Iterator[Found]:
        """Yield what is there, and rename the folder after the first."""
        for item in LocalRoot.scan(self, under, span=span, links=links, excluded=excluded):
            yield item
            if os.path.exists(self.folder):
                os.rename(self.folder, f"{self.folder} unplugged")


@dataclass(frozen=True)
class ActingRoot(LocalRoot):
    """A folder that does something before it opens a file; in this process alone."""

    act: Callable[[str], object] = str

    def open(self, path: str, head: int | None = None) -> BinaryIO:
        """Act, then open the file."""
        self.act(path)
        return LocalRoot.open(self, path, head)


@dataclass(frozen=True)
class LookingRoot(LocalRoot):
    """A folder that does something before it is listed."""

    act: Callable[[], object] = str

    def scan(
        self,
        under: str = "",
        *,
        span: Span = ALL_PATHS,
        links: Links | None = None,
        excluded: tuple[str, ...] = (),
    ) -> Iterator[Found]:
        """Act, then yield what is there."""
        self.act()
        return LocalRoot.scan(self, under, span=span, links=links, excluded=excluded)


@dataclass(frozen=True, slots=True)
class FarRoot:
    """A folder of a far store, by its URL such as ``far://bucket/key``; `disk` has the buckets."""

    url: str
    disk: str

    @property
    def _here(self) -> LocalRoot:
        return LocalRoot(os.path.join(self.disk, *self.location().split("/")[2:]))

    def scan(
        self,
        under: str = "",
        *,
        span: Span = ALL_PATHS,
        links: Links | None = None,
        excluded: tuple[str, ...] = (),
    ) -> Iterator[Found]:
        """Yield the image files below a folder."""
        return self._here.scan(under, span=span, links=links, excluded=excluded)

    def look_at(self, paths: Iterable[str]) -> Iterator[Found]:
        """Yield the files of a list that are there."""
        return self._here.look_at(paths)

    def links(self, under: str) -> Links:
        """Return a memory of the links that one scan meets."""
        return self._here.links(under)

    def state(self, path: str) -> FileState:
        """Return what is known of a file."""
        return self._here.state(path)

    def open(self, path: str, head: int | None = None) -> BinaryIO:
        """Open a file for reading."""
        return self._here.open(path)

    @property
    def is_far(self) -> bool:
        """Say that its files are fetched first."""
        return True

    def fetched(self, path: str, head: int | None = None) -> "FarRoot":
        """Return the root: its files are in fact here."""
        return self

    def at_version(self, version: str) -> "FarRoot":
        """Return the root: it has no versions."""
        return self

    def compared(self, *, strict: bool) -> tuple[str, ...]:
        """Return what tells whether a file has changed."""
        return self._here.compared(strict=strict)

    def state_of(self, file: BinaryIO) -> FileState:
        """Return what is known of an open file."""
        return self._here.state_of(file)

    def identity(self, under: str = "") -> Identity:
        """Return what tells this folder from another."""
        return self._here.identity(under)

    def location(self, path: str = "") -> str:
        """Return the URL of a file or folder."""
        url = self.url.rstrip("/")
        return f"{url}/{from_text(path.removesuffix('/'))}" if path else url

    def absolute(self) -> str:
        """Return the URL: it always says all."""
        return self.location()

    def real(self) -> str:
        """Return the URL: there are no links."""
        return self.location()

    def outermost(self) -> str:
        """Return the URL of the bucket."""
        return "/".join(self.location().split("/")[:3])

    def within(self, location: str) -> str | None:
        """Return the path of what is at a URL."""
        start = self.location()
        if location != start and not location.startswith(f"{start}/"):
            return None
        return to_text(location.removeprefix(start).strip("/"))

    def stored(self) -> str:
        """Return the URL as text that is stored."""
        return to_text(self.location())
