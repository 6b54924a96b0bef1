"""`Root`: where an archive's images are. They are listed, opened and stat'ed through it alone.

To add a kind of root, write a class with the methods of `Root` that passes
``tests/contracts/test_root.py``, and add a line to `KINDS`. Nothing else knows what locations look
like, or which location lies in which.
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

Identity = tuple[int, ...]  # numbers by which a folder differs from another that is mounted over it


class NotFetchedError(Exception):
    """Something beyond the fetched bytes of a file was read."""


class Files(Protocol):
    """Opens files by their paths: a root, or one file that was fetched from it."""

    @property
    def is_far(self) -> bool:
        """Say whether its files are fetched before they are read, many at once.

        What was fetched is one content, even if the file is replaced meanwhile.
        """
        ...

    def open(self, path: str, head: int | None = None) -> BinaryIO:
        """Open a file for reading; `head` is how many bytes from its start are mostly enough."""
        ...

    def state_of(self, file: BinaryIO) -> FileState:
        """Return what the system says, now, of a file that `open` gave."""
        ...


class Root(Files, Protocol):
    """The folder of an archive, on a disk or elsewhere; it can be pickled for a worker.

    Every path is relative to the root and in stored form: see `sdindex.archive.names`. Where the
    system refuses, an OSError is raised; FileNotFoundError where there is no such file.
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
        """Return a new record of the links that one scan below a folder follows."""
        ...

    def state(self, path: str) -> FileState:
        """Return what the system says of a file, without opening it."""
        ...

    def fetched(self, path: str, head: int | None = None) -> Files:
        """Return what a worker opens a file with: the root or, where files are far, its bytes.

        Of a far file, only the first `head` bytes are fetched; reading more raises NotFetchedError.
        """
        ...

    def at_version(self, version: str) -> "Root":
        """Return the same root, through which a file opens only while it has that version.

        Else opening it raises an OSError. A disk has no versions: there, the root itself is
        returned.
        """
        ...

    def compared(self, *, strict: bool) -> tuple[str, ...]:
        """Return the fields of a `FileState` that tell whether a file has changed."""
        ...

    def identity(self, under: str = "") -> Identity:
        """Return numbers that change when another folder gets the root's name, or that of `under`.

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
        """Return the location of the top folder of the disk, or the bucket."""
        ...

    def within(self, location: str) -> str | None:
        """Return a location as a path below the root: empty for the root, None outside."""
        ...

    def stored(self) -> str:
        """Return its location as text that is stored; see `stored_root`."""
        ...


@dataclass(frozen=True, slots=True)
class LocalRoot:
    """A folder of this machine, as ``os`` functions take it."""

    folder: str

    def __post_init__(self) -> None:
        """Turn the forward slashes of a stored name into this system's own."""
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
        """Return a new record of the links that one scan below a folder follows."""
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
        """Return size and mtime, and with `strict` also ctime and inode."""
        return BY_ALL if strict else BY_TIME

    def open(self, path: str, head: int | None = None) -> BinaryIO:
        """Open a file for reading; FileNotFoundError for what is no file, such as a pipe."""
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
        """Return the location of the top folder of the disk, or the bucket."""
        return Path(self.folder).anchor

    def within(self, location: str) -> str | None:
        """Return a location as a path below the root: empty for the root, None outside."""
        if not is_inside(location, self.folder):
            return None
        return to_text(location[len(self.folder) :].strip(os.sep).replace(os.sep, "/"))

    def stored(self) -> str:
        """Return its location as text that is stored, with forward slashes."""
        return to_text(Path(self.folder).as_posix())


def _opened_file(location: str, flags: int) -> int:
    """Open a file without waiting: a pipe would wait for somebody who writes into it."""
    descriptor = os.open(location, flags | getattr(os, "O_NONBLOCK", 0))
    if not S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), location)
    return descriptor


_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

# The kinds of roots, by the beginning of their locations; the first that fits is taken.
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
        from sdindex.archive.object_root import object_root  # imported only where there is a URL

        return object_root(location)
    return kind(location)


def root_at(name: str) -> Root:
    """Return the root at a location as people name it: relative to the working folder, too."""
    return root_of(root_of(name).absolute())


def stored_root(text: str) -> Root:
    """Return the root whose `stored` text this is."""
    return root_of(from_text(text))


@contextmanager
def made_by(kind: Callable[[str], Root], start: str = "") -> Iterator[None]:
    """Have `root_of` return another kind of root while the block runs.

    For programs with a kind of root of their own, and for tests and benchmarks: a disk that fails
    or is slow is a root, too. Workers get the root itself, and need no such block.

    Parameters
    ----------
    kind
        Makes a root of a location.
    start
        Only locations that begin so; all by default.
    """
    added = (start, kind)
    KINDS.insert(0, added)
    try:
        yield
    finally:
        KINDS.remove(added)
