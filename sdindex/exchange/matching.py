"""`Matcher`: which images of the index a path means, for label files, lists and single files.

A path may be absolute, relative to the working folder, or relative to an archive's root. A list may
come from another machine, or from a folder around the archive: if no path matches as written,
leading folders that all paths share are left out, as few as possible.
"""

import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, takewhile

from sdindex.archive.names import printable, to_text
from sdindex.archive.roots import Root, root_of
from sdindex.errors import ArchiveError
from sdindex.store import archives
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched
from sdindex.store.lookup import ArchivePath, ids_at

_ANY_NAME = "x"

Meaning = list[ArchivePath]  # the places where a path, read in one way, may lead


class Matcher:
    """Finds the images that paths mean.

    Parameters
    ----------
    folder
        The folder, in an archive, that relative paths start from; None means the working folder and
        the archives' roots.

    Raises
    ------
    ArchiveError
        When the folder lies in no archive.
    """

    def __init__(self, session: Session, folder: str | None = None) -> None:
        self._session = session
        self._real_folder = lru_cache(maxsize=4096)(_real_folder)
        self._of_folder = lru_cache(maxsize=4096)(self._folder_meanings)
        known = archives.all_archives(session)
        roots = [(root_of(archive.root), archive.id) for archive in known]
        self._roots = _innermost_first(roots)
        self._real_roots = _innermost_first(
            (archives.real_root(root), archive_id) for root, archive_id in roots
        )
        if folder is None:
            self._below = [(archive.id, "") for archive in known]
            self._working_folder = _working_folder()
            return
        part = archives.locate(folder, known)
        if part is None:
            raise ArchiveError(
                f"{printable(folder)} lies in no archive of this index; its archives: "
                f"{archives.listing(known)}"
            )
        self._below = [(part.archive.id, part.under)]
        self._working_folder = None

    def ids(self, paths: Sequence[str], dropped: int = 0) -> list[list[int]]:
        """Return, for each path, the ids of the images that it means: at most one in each archive.

        Parameters
        ----------
        paths
            A few thousand at most.
        dropped
            How many leading folders of each path to leave out: see `folders_to_drop`.
        """
        meanings = [list(self.meanings(path, dropped)) for path in paths]
        asked = chain.from_iterable(chain.from_iterable(meanings))
        known = ids_at(self._session, asked)
        return [_first_found(of_path, known) for of_path in meanings]

    def folders_to_drop(self, paths: Iterable[str]) -> list[str]:
        """Return the leading folders to leave out so that paths match; none if that does not help.

        As few as possible, and none if a single path matches as written.

        Parameters
        ----------
        paths
            Iterated over more than once.
        """
        leading = Leading()
        for chunk in batched(paths, PARAMETERS):
            if any(self.ids(chunk)):
                return []
            leading.add(chunk)
        for dropped in range(1, len(leading.folders) + 1):
            if self._any_found(paths, dropped):
                return leading.folders[:dropped]
        return []

    def meanings(self, path: str, dropped: int = 0) -> Iterator[Meaning]:
        """Yield the places where a path may lead, the likeliest reading first."""
        if dropped:
            yield self._below_roots("/".join(slashed(path).split("/")[dropped:]))
            return
        folder, slash, name = path.rpartition("/")
        if slash and name.isascii() and "\\" not in path and name not in ("", ".", ".."):
            of_folder = self._of_folder(folder)
            if of_folder is not None:
                for meaning in of_folder:
                    yield [(archive_id, f"{below}{name}") for archive_id, below in meaning]
                return
        yield from self._as_written(path)
        if "\\" in path and os.sep == "/":  # another system's separator, unless a name contains it
            yield from self._as_written(path.replace("\\", "/"))

    def _folder_meanings(self, folder: str) -> list[Meaning] | None:
        """Return where the files of a folder may be: paths that end where file names begin.

        Done once for thousands of files in a folder. None if it exists: its files may be links.
        """
        location = os.path.join(self._working_folder or "", folder)
        if self._real_folder(os.path.normpath(location)) is not None:
            return None
        whole = [list(meaning) for meaning in self._as_written(f"{folder}/{_ANY_NAME}")]
        return [
            [(archive_id, path.removesuffix(_ANY_NAME)) for archive_id, path in meaning]
            for meaning in whole
        ]

    def _as_written(self, path: str) -> Iterator[Meaning]:
        if not os.path.isabs(path) and self._working_folder is None:
            yield self._below_roots(path)
            return
        if "://" in path:  # a URL is no folder of this machine, but may be an archive
            yield from _inside(path, self._roots)
        location = os.path.normpath(os.path.join(self._working_folder or "", path))
        yield from _inside(location, self._roots)
        folder, name = os.path.split(location)
        real = self._real_folder(folder)
        if real is not None:
            yield from _inside(_target(os.path.join(real, name)), self._real_roots)
        if not os.path.isabs(path):
            yield self._below_roots(path)

    def _below_roots(self, path: str) -> Meaning:
        relative = posixpath.normpath(path) if os.sep == "/" else slashed(path)
        if relative.startswith("/"):
            return []
        stored = to_text(relative)
        return [(archive_id, under + stored) for archive_id, under in self._below]

    def _any_found(self, paths: Iterable[str], dropped: int) -> bool:
        return any(any(self.ids(chunk, dropped)) for chunk in batched(paths, PARAMETERS))


def slashed(path: str) -> str:
    """Return a path with forward slashes, without ``.`` and ``..``."""
    return posixpath.normpath(path.replace("\\", "/"))


class Leading:
    """Finds the folders that all of many paths begin with."""

    def __init__(self) -> None:
        self._first: str | None = None
        self._last = ""

    def add(self, paths: Iterable[str]) -> None:
        """Take in more paths."""
        for path in map(slashed, paths):
            self._first = path if self._first is None else min(self._first, path)
            self._last = max(self._last, path)

    @property
    def folders(self) -> list[str]:
        """The folders, the outermost first; empty text stands for ``/``."""
        # All paths begin with what the smallest and the largest both begin with.
        first, last = ((path or "").split("/")[:-1] for path in (self._first, self._last))
        pairs = zip(first, last, strict=False)
        return [ours for ours, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]


def _innermost_first(roots: Iterable[tuple[Root, int]]) -> list[tuple[Root, int]]:
    return sorted(roots, key=lambda root: -len(root[0].location()))


def _inside(location: str, roots: Sequence[tuple[Root, int]]) -> Iterator[Meaning]:
    """Yield, for each archive that a file lies in, its path there; `location` is absolute."""
    for root, archive_id in roots:
        relative = root.within(location)
        if relative is not None:
            yield [(archive_id, relative)]


def _first_found(meanings: Iterable[Meaning], known: dict[ArchivePath, int]) -> list[int]:
    for meaning in meanings:
        found = [known[path] for path in meaning if path in known]
        if found:
            return found
    return []


def _working_folder() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:  # the working folder was removed
        return None


def _real_folder(folder: str) -> str | None:
    """Return a folder's location without links; None where there is no folder."""
    return os.path.realpath(folder) if os.path.isdir(folder) else None


def _target(location: str) -> str:
    return os.path.realpath(location) if os.path.islink(location) else location
