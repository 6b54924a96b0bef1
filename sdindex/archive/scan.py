"""Listing the image files of a folder, each with its state, without opening any."""

import errno
import os
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from stat import S_ISDIR, S_ISREG
from typing import NamedTuple

from sdindex.archive.beside import FOLDER, Beside, Tally, is_litter
from sdindex.archive.excluded import excludes
from sdindex.archive.names import absolute, is_inside, to_text
from sdindex.archive.state import FileState, FoundFile, folded

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
# What the system says of a file that is gone since it was listed, and of a link that leads nowhere,
# through a file, or to itself.
_NOWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
# What the system says when the disk, cable or server fails, whatever file is asked for.
_FAILING = {
    getattr(errno, name, None)
    for name in ("EIO", "ENXIO", "ENODEV", "ENOTCONN", "ESTALE", "ETIMEDOUT", "EHOSTDOWN",
                 "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "ENOMEDIUM", "EREMOTEIO")
}  # fmt: skip
READABLE = "make it readable and index again"
# On Windows, a listing may give states that are out of date, and without an inode.
_status: Callable[["os.DirEntry[str]"], os.stat_result] = (
    os.stat if sys.platform == "win32" else os.DirEntry.stat
)
_new_tuple = tuple.__new__  # makes a named tuple without going through its own constructor


class Unlooked(NamedTuple):
    """A folder or file that could not be looked at.

    The `path` of a folder ends with a slash, and stands for all below it. With `only_if_known` it
    matters only where the index knows images of it: a link that leads nowhere is either litter, or
    leads to a disk that is not mounted. `failing` says that the disk failed, and did not refuse
    this file alone; `way_out` says what to do.
    """

    path: str
    reason: str
    only_if_known: bool = False
    failing: bool = False
    way_out: str = READABLE


class TooLong(NamedTuple):
    """A file or folder whose absolute name is longer than the system opens."""

    path: str

    def if_known(self) -> Unlooked:
        """Return it as one that could not be looked at, where known: its folder was moved down."""
        shorten = "shorten the names of its folders and index again"
        return Unlooked(self.path, "its name is longer than this system opens", way_out=shorten)


class Mounted(NamedTuple):
    """A folder that is on another device than the folder above it; `path` ends with a slash.

    The path of the root is empty. `device` is the device's number, which may change at a restart.
    """

    path: str
    device: int


class Linked(NamedTuple):
    """A link to a folder that was not followed; `path` ends with a slash."""

    path: str


class Passed(NamedTuple):
    """A file or folder that is passed over; the path of a folder ends with a slash."""

    path: str


class OfOthers(NamedTuple):
    """So many files that belong to the shards of other jobs: see `sdindex.archive.shards`."""

    files: int


class Span(NamedTuple):
    """The stored paths from `start` to before `end`; None is no end."""

    start: str = ""
    end: str | None = None

    def holds(self, path: str) -> bool:
        """Say whether a path lies in it."""
        return self.start <= path and (self.end is None or path < self.end)

    def touches(self, folder: str) -> bool:
        """Say whether a path below a folder may lie in it; `folder` ends with a slash."""
        return self.start.startswith(folder) or self.holds(folder)

    def covers(self, folder: str) -> bool:
        """Say whether every path below a folder lies in it."""
        return self.holds(folder) and (self.end is None or not self.end.startswith(folder))


ALL_PATHS = Span()


class Links:
    """The links to folders that a scan follows: each folder behind them is entered once.

    A link is followed when it leads out of the archive, to a folder that no other link led to: so
    loops end, and no file is found twice.
    """

    def __init__(self, *folders: str) -> None:
        self._entered = [os.path.realpath(folder) for folder in folders]

    def is_new(self, link: str) -> bool:
        """Say whether a link is to be followed, and remember where it leads."""
        folder = os.path.realpath(link)
        if any(is_inside(folder, other) or is_inside(other, folder) for other in self._entered):
            return False
        self._entered.append(folder)
        return True


def is_image(name: str) -> bool:
    """Say whether a file has an image's suffix."""
    return name.lower().endswith(IMAGE_SUFFIXES)


Found = list[FoundFile] | Unlooked | TooLong | Linked | Mounted | Passed | Beside | OfOthers


def scan(
    root: str,
    under: str = "",
    *,
    span: Span = ALL_PATHS,
    links: Links | None = None,
    excluded: tuple[str, ...] = (),
) -> Iterator[Found]:
    """Yield the image files below a folder, in the order of their stored paths' bytes.

    They come in runs of files that follow each other in one folder, as working on whole runs is
    fast. A link to a file counts as a file. The order is that of the index's rows by path, so that
    both are compared in one pass; only the largest single folder is in memory. Litter is passed
    over; what else is there is counted, and comes last.

    Parameters
    ----------
    root
        The archive's folder, as ``os`` functions take it.
    under
        A folder of it, relative, in stored form, ending with a slash; empty for all of it.
    span
        Only these paths; all by default.
    links
        The links followed so far. Without it none is followed: links are yielded, in their order.
    excluded
        Globs of what is excluded: see `sdindex.archive.excluded`.
    """
    top = absolute(root, under)
    device = _device(top)
    if device is not None and device != _device(os.path.dirname(os.path.abspath(top))):
        yield Mounted(under, device)
    tally = Tally(excludes(excluded))
    folders = [(_contents(top, under, span, tally), device)]
    while folders:
        contents, device = folders[-1]
        item = next(contents, None)
        if item is None:
            folders.pop()
        elif isinstance(item, list | Unlooked | TooLong | Passed):
            yield item
        else:
            prefix, entry = item
            if not entry.is_symlink() or (links is not None and links.is_new(entry.path)):
                own = _device(entry.path)
                if own is not None and own != device:
                    yield Mounted(prefix, own)
                folders.append((_contents(entry.path, prefix, span, tally), own))
            elif links is None:
                yield Linked(prefix)
    if tally.seen:
        yield tally.seen


def look_at(root: str, paths: Iterable[str]) -> Iterator[Found]:
    """Yield the listed files that are there, in the order of `scan`; `paths` are in stored form."""
    for path in sorted(paths):
        try:
            status = os.stat(absolute(root, path))
        except OSError as problem:
            if problem.errno not in _NOWHERE:
                yield _refused(path, problem)
            continue
        if S_ISREG(status.st_mode):
            yield [FoundFile(path, *FileState.of(status))]


def reason(problem: OSError) -> str:
    """Return what the system says of a failed call, without numbers and paths."""
    return problem.strerror or str(problem)


def _refused(path: str, problem: OSError) -> Unlooked | TooLong:
    if problem.errno == errno.ENAMETOOLONG:
        return TooLong(path)
    return Unlooked(path, reason(problem), failing=problem.errno in _FAILING)


def _device(folder: str) -> int | None:
    """Return the device that a folder is on; None where it cannot be looked at."""
    try:
        return folded(os.stat(folder).st_dev)
    except OSError:
        return None


_Subfolder = tuple[str, "os.DirEntry[str]"]  # its path with a slash, and the folder's entry
_Other = Unlooked | TooLong | Passed | _Subfolder


def _contents(
    location: str, prefix: str, span: Span, tally: Tally
) -> Iterator[list[FoundFile] | _Other]:
    """Yield runs of the files in a folder, and between them its folders, in order."""
    try:
        files, others = _listed(location, prefix, None if span.covers(prefix) else span, tally)
    except OSError as problem:
        yield _refused(prefix, problem)
        return
    files.sort()
    start = 0
    for item in sorted(others, key=itemgetter(0)):
        end = bisect_left(files, (item[0],), start)
        if end > start:
            yield files[start:end]
        yield item
        start = end
    if files[start:]:
        yield files[start:]


def _listed(
    location: str, prefix: str, span: Span | None, tally: Tally
) -> tuple[list[FoundFile], list[_Other]]:
    """Return a folder's images; and its subfolders, with what could not be looked at.

    A million unchanged files go through this loop: each call in it costs.
    """
    files: list[FoundFile] = []
    others: list[_Other] = []
    with os.scandir(location) as listing:
        for entry in listing if span is None else _reaching(listing, prefix, span):
            name = entry.name
            path = _path_of(prefix, name)
            if not name.lower().endswith(IMAGE_SUFFIXES):
                others += _beside_images(path + "/", entry, span, tally)
                continue
            # Most names sort behind ``._``: comparing is the quickest test.
            may_pass = name < "/" or tally.excludes is not None
            if may_pass and not _is_folder(entry) and tally.passes(path, name):
                others.append(Passed(path))
                continue
            try:
                status = _status(entry)
            except OSError as problem:
                if problem.errno not in _NOWHERE:
                    others.append(_refused(path, problem))
                elif entry.is_symlink():
                    others.append(_gone(path))
                continue
            if S_ISREG(status.st_mode):  # a pipe or a socket would hang whoever opens it
                numbers = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
                files.append(_new_tuple(FoundFile, (path, *numbers, "")))
            elif S_ISDIR(status.st_mode):  # whatever its name
                others.append(_subfolder(path + "/", entry, span, tally))
    return files, others


def _subfolder(
    path: str, entry: "os.DirEntry[str]", span: Span | None, tally: Tally
) -> Passed | _Subfolder:
    """Return a subfolder, or `Passed` where it is passed over."""
    counted = span is None or span.holds(path)  # else it is counted with another span
    if is_litter(entry.name, entry.path):
        if counted:
            tally.count_folder(entry.name, entry.path)
        return Passed(path)
    if tally.leaves_out(path, FOLDER, counted=counted):
        return Passed(path)
    return path, entry


def _reaching(
    listing: Iterable["os.DirEntry[str]"], prefix: str, span: Span
) -> Iterator["os.DirEntry[str]"]:
    """Yield the files that lie in a span, and the folders that reach into it."""
    for entry in listing:
        path = _path_of(prefix, entry.name)
        # A folder sorts as the paths below it do: "a/" comes after "a-1/".
        is_folder = _is_folder(entry) or (_leads_nowhere(entry) and not is_image(entry.name))
        if span.touches(path + "/") if is_folder else span.holds(path):
            yield entry


def _path_of(prefix: str, name: str) -> str:
    return prefix + (name if name.isascii() and "\\" not in name else to_text(name))


def _beside_images(
    path: str, entry: "os.DirEntry[str]", span: Span | None, tally: Tally
) -> Iterator[_Other]:
    """Yield an entry without an image's suffix, if it is a folder or a link to one."""
    if _is_folder(entry):
        yield _subfolder(path, entry, span, tally)
    elif _leads_nowhere(entry):
        yield _gone(path)
    elif tally.excludes is None or not tally.excludes(path[:-1]):
        tally.count(entry.name)


def _gone(link: str) -> Unlooked:
    return Unlooked(link, "its target is not there", only_if_known=True)


def _leads_nowhere(entry: "os.DirEntry[str]") -> bool:
    return entry.is_symlink() and not os.path.exists(entry.path)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError as problem:
        # A link whose target cannot be looked at may lead to known images: it is taken for a
        # folder, and reported when it cannot be listed.
        return problem.errno not in _NOWHERE
