"""Where an archive's images are: they are listed, opened and stat'ed through a root alone.

Adding a kind of root is a class with the methods of `Root` that passes
``tests/contracts/test_root.py``, and a line in `KINDS`: what its locations look like, and
which lies in which, is for the root alone to say.
"""

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO, Protocol

from sdindex.archive import scan
from sdindex.archive.names import absolute, from_text, is_inside, to_text
from sdindex.archive.scan import ALL_PATHS, Found, Links, Span
from sdindex.archive.state import BY_ALL, BY_TIME, FileState

Identity = tuple[int, ...]  # what tells a folder from another that is mounted over it


class NotFetchedError(Exception):
    """More of a file is read than was fetched."""


class Files(Protocol):
    """What opens files by their paths: a root, or one of its files that was fetched."""

    @property
    def is_far(self) -> bool:
        """Say whether its files are fetched before they are read, many at once.

        What was fetched is of one content, whatever is written at the same time.
        """
        ...

    def open(self, path: str, head: int | None = None) -> BinaryIO:
        """Open a file for reading; `head` is how many bytes will do, as a rule, from its start."""
        ...

    def state_of(self, file: BinaryIO) -> FileState:
        """Return what the system says, now, of a file that `open` gave."""
        ...


class Root(Files, Protocol):
    """The folder of an archive, on a disk or elsewhere; it can be pickled for a worker.

    Every path is relative to the root and in stored form, see `sdindex.archive.names`. What
    the system refuses is an OSError, and FileNotFoundError where there is nothing.
    """

    def scan(
        self,
        under: str = "",
        *,
        span: Span = ALL_PATHS,
        links: Links | None = None,
        excluded: tuple[str, ...] = (),
    ) -> Iterator[Found]:
        """Yield the image files below a folder; see `sdindex.archive.scan.scan`."""
        ...

    def look_at(self, paths: Iterable[str]) -> Iterator[Found]:
        """Yield the files of a list that are there, in the order of `scan`."""
        ...

    def links(self, under: str) -> Links:
        """Return a memory of the links that one scan below a folder meets."""
        ...

    def state(self, path: str) -> FileState:
        """Return what the system says of a file, without opening it."""
        ...

    def fetched(self, path: str, head: int | None = None) -> Files:
        """Return what opens a file in a worker: its bytes, or the first, where it is far.

        Whoever reads more than these gets a NotFetchedError.
        """
        ...

    def at_version(self, version: str) -> "Root":
        """Return the root of which a file is opened as of that version alone.

        Whoever opens another one gets an OSError. A disk has no versions.
        """
        ...

    def compared(self, *, strict: bool) -> tuple[str, ...]:
        """Return the fields of a `FileState` that tell whether a file has changed."""
        ...

    def identity(self, under: str = "") -> Identity:
        """Return numbers that differ for another folder of the same name (or of a folder below it).

        Raises
        ------
        NotADirectoryError
            When it is a file.
        """
        ...

    def location(self, path: str = "") -> str:
        """Return the absolute name of a file or folder, for people and other programs."""
        ...

    def absolute(self) -> str:
        """Return its location, also where it was named relative to the working folder."""
        ...

    def real(self) -> str:
        """Return its location without links: two names of one folder become one."""
        ...

    def outermost(self) -> str:
        """Return the location of the folder that all on its disk lies in."""
        ...

    def within(self, location: str) -> str | None:
        """Return the path of what is at a location: empty for the root, None outside of it."""
        ...

    def stored(self) -> str:
        """Return its location as text that is stored; see `stored_root`."""
        ...


@dataclass(frozen=True, slots=True)
class LocalRoot:
    """A folder of this machine, as ``os`` functions take it."""

    folder: str

    def __post_init__(self) -> None:
        """Write its name as this system does: it is stored with forward slashes."""
        object.__setattr__(self, "folder", os.path.normpath(self.folder))

    def scan(
        self,
        under: str = "",
        *,
        span: Span = ALL_PATHS,
        links: Links | None = None,
        excluded: tuple[str, ...] = (),
    ) -> Iterator[Found]:
        """Yield the image files below a folder; see `sdindex.archive.scan.scan`."""
        return scan.scan(self.folder, under, span=span, links=links, excluded=excluded)

    def look_at(self, paths: Iterable[str]) -> Iterator[Found]:
        """Yield the files of a list that are there, in the order of `scan`."""
        return scan.look_at(self.folder, paths)

    def links(self, under: str) -> Links:
        """Return a memory of the links that one scan below a folder meets."""
        return Links(self.folder, self.location(under))

    def state(self, path: str) -> FileState:
        """Return what the system says of a file, without opening it."""
        return FileState.of(os.stat(self.location(path)))

    @property
    def is_far(self) -> bool:
        """Say that a worker reads its files itself."""
        return False

    def fetched(self, path: str, head: int | None = None) -> Files:
        """Return the root: a worker opens the file itself."""
        return self

    def at_version(self, version: str) -> Root:
        """Return the root: a file has no versions."""
        return self

    def compared(self, *, strict: bool) -> tuple[str, ...]:
        """Return size and time, and all there is where it is `strict`."""
        return BY_ALL if strict else BY_TIME

    def open(self, path: str, head: int | None = None) -> BinaryIO:
        """Open a file for reading; what is no file any more, such as a pipe, is not there."""
        return open(self.location(path), "rb", opener=_opened_file)

    def state_of(self, file: BinaryIO) -> FileState:
        """Return what the system says, now, of a file that `open` gave."""
        return FileState.of(os.fstat(file.fileno()))

    def identity(self, under: str = "") -> Identity:
        """Return the folder's device and number."""
        location = self.location(under)
        try:
            status = os.stat(location)
        except NotADirectoryError as problem:  # a folder above it is now a file
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), location) from problem
        if not S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), location)
        return status.st_dev, status.st_ino

    def location(self, path: str = "") -> str:
        """Return the absolute name of a file or folder, for people and other programs."""
        if not path:
            return self.folder
        return absolute(self.folder, path[:-1] if path[-1] == "/" else path)

    def absolute(self) -> str:
        """Return its location, also where it was named relative to the working folder."""
        return os.path.abspath(self.folder)

    def real(self) -> str:
        """Return its location without links: two names of one folder become one."""
        return os.path.realpath(self.folder)

    def outermost(self) -> str:
        """Return the location of the folder that all on its disk lies in."""
        return Path(self.folder).anchor

    def within(self, location: str) -> str | None:
        """Return the path of what is at a location: empty for the root, None outside of it."""
        if not is_inside(location, self.folder):
            return None
        return to_text(location[len(self.folder) :].strip(os.sep).replace(os.sep, "/"))

    def stored(self) -> str:
        """Return its location as text that is stored, with forward slashes."""
        return to_text(Path(self.folder).as_posix())


def _opened_file(location: str, flags: int) -> int:
    """Open a file; a pipe would have this process wait for whoever writes into it."""
    descriptor = os.open(location, flags | getattr(os, "O_NONBLOCK", 0))
    if not S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), location)
    return descriptor


_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

# The kinds of roots, by what their locations begin with; the first that fits is taken.
KINDS: list[tuple[str, Callable[[str], Root]]] = [("", LocalRoot)]


def root_of(location: str) -> Root:
    """Return the root at a location: an absolute path, or a URL.

    Raises
    ------
    ArchiveError
        When it is a URL that holds a password or names no bucket.
    """
    kind = next(kind for start, kind in KINDS if location.startswith(start))
    if kind is LocalRoot and _URL.match(location):
        from sdindex.archive.object_root import object_root  # who has disks alone needs none of it

        return object_root(location)
    return kind(location)


def root_at(name: str) -> Root:
    """Return the root at a location as people name it: relative to the working folder, too."""
    return root_of(root_of(name).absolute())


def stored_root(text: str) -> Root:
    """Return the root that is stored as that text; see `Root.stored`."""
    return root_of(from_text(text))


@contextmanager
def made_by(kind: Callable[[str], Root], start: str = "") -> Iterator[None]:
    """Have `root_of` make another kind of root while the block runs.

    For whoever brings a kind of root of their own, and for tests and benchmarks: a disk that
    fails or is slow is a root, too. Workers are handed the root itself, and need no such
    block.

    Parameters
    ----------
    kind
        Makes a root of a location.
    start
        The beginning of the locations that it is for; all by default.
    """
    added = (start, kind)
    KINDS.insert(0, added)
    try:
        yield
    finally:
        KINDS.remove(added)
