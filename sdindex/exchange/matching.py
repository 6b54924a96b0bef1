"""Which images of the index a path means: one answer for label files, lists and single files.

A path is absolute, relative to the working folder, or relative to an archive's root. Lists may
have been made on another machine, or of a folder around the archive: where the index has none
of their images at the paths as written, the folders that all the paths begin with are left out,
as few as possible.
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

Meaning = list[ArchivePath]  # where the images may be that a path means, read in one way


class Matcher:
    """Finds the images that paths mean.

    Parameters
    ----------
    folder
        What relative paths are relative to: a folder in an archive. The working folder and
        the archives' roots when it is None.

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
        """Return the ids of the images that each path means: one in each of several archives.

        Parameters
        ----------
        paths
            A few thousand at most.
        dropped
            How many of their leading folders to leave out: see `folders_to_drop`.
        """
        meanings = [list(self.meanings(path, dropped)) for path in paths]
        asked = chain.from_iterable(chain.from_iterable(meanings))
        known = ids_at(self._session, asked)
        return [_first_found(of_path, known) for of_path in meanings]

    def folders_to_drop(self, paths: Iterable[str]) -> list[str]:
        """Return the leading folders without which paths are found; none when that finds none.

        As few as possible, and none while a single path is found as it is written.

        Parameters
        ----------
        paths
            Gone through more than once.
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
        """Yield where the images may be that a path means, the likeliest meaning first."""
        if dropped:
            yield self._below_roots("/".join(slashed(path).split("/")[dropped:]))
            return
        folder, slash, name = path.rpartition("/")
        if slash and name.isascii() and "\\" not in path and name not in ("", ".", ".."):
            of_folder = self._of_folder(folder)
            if of_folder is not None:
                for meaning in of_folder:
                    yield [
                        ArchivePath(archive_id, f"{below}{name}") for archive_id, below in meaning
                    ]
                return
        yield from self._as_written(path)
        if "\\" in path and os.sep == "/":  # another system's, unless a name has one
            yield from self._as_written(path.replace("\\", "/"))

    def _folder_meanings(self, folder: str) -> list[Meaning] | None:
        """Return where the files of a folder may be, each path ending where their names begin.

        Thousands of files have one folder. None where it is there, for each may be a link.
        """
        location = os.path.join(self._working_folder or "", folder)
        if self._real_folder(os.path.normpath(location)) is not None:
            return None
        whole = [list(meaning) for meaning in self._as_written(f"{folder}/{_ANY_NAME}")]
        return [
            [ArchivePath(archive_id, path.removesuffix(_ANY_NAME)) for archive_id, path in meaning]
            for meaning in whole
        ]

    def _as_written(self, path: str) -> Iterator[Meaning]:
        if not os.path.isabs(path) and self._working_folder is None:
            yield self._below_roots(path)
            return
        if "://" in path:  # a URL: no folder of this machine, but maybe an archive
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
        return [ArchivePath(archive_id, under + stored) for archive_id, under in self._below]

    def _any_found(self, paths: Iterable[str], dropped: int) -> bool:
        return any(any(self.ids(chunk, dropped)) for chunk in batched(paths, PARAMETERS))


def slashed(path: str) -> str:
    """Return a path as it is written everywhere but on Windows, without detours."""
    return posixpath.normpath(path.replace("\\", "/"))


class Leading:
    """Tells the folders that all of many paths begin with."""

    def __init__(self) -> None:
        self._first: str | None = None
        self._last = ""

    def add(self, paths: Iterable[str]) -> None:
        """Take in some more of the paths."""
        for path in map(slashed, paths):
            self._first = path if self._first is None else min(self._first, path)
            self._last = max(self._last, path)

    @property
    def folders(self) -> list[str]:
        """The folders, from the outermost on; the first is empty for ``/``."""
        # What the smallest and the largest begin with, all between them begin with.
        first, last = ((path or "").split("/")[:-1] for path in (self._first, self._last))
        pairs = zip(first, last, strict=False)
        return [ours for ours, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]


def _innermost_first(roots: Iterable[tuple[Root, int]]) -> list[tuple[Root, int]]:
    return sorted(roots, key=lambda root: -len(root[0].location()))


def _inside(location: str, roots: Sequence[tuple[Root, int]]) -> Iterator[Meaning]:
    """Yield where a file is in each of the archives that it lies in, by its absolute name."""
    for root, archive_id in roots:
        relative = root.within(location)
        if relative is not None:
            yield [ArchivePath(archive_id, relative)]


def _first_found(meanings: Iterable[Meaning], known: dict[ArchivePath, int]) -> list[int]:
    for meaning in meanings:
        found = [known[path] for path in meaning if path in known]
        if found:
            return found
    return []


def _working_folder() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:  # it was removed
        return None


def _real_folder(folder: str) -> str | None:
    """Return where a folder really is, where links lead to it; None where there is none."""
    return os.path.realpath(folder) if os.path.isdir(folder) else None


def _target(location: str) -> str:
    return os.path.realpath(location) if os.path.islink(location) else location
