"""A folder's image files and what the file system says of each, without opening one."""

import errno
import os
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from stat import S_ISDIR, S_ISREG
from typing import NamedTuple

from sdindex.names import absolute, is_inside, to_text

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
# Gone since the folder was listed, or a link to nothing, through a file, or to itself.
_NOWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
# What Windows lists of a file may be out of date, and has no inode.
_status: Callable[["os.DirEntry[str]"], os.stat_result] = (
    os.stat if sys.platform == "win32" else os.DirEntry.stat
)
_new_tuple = tuple.__new__  # makes a named tuple without going through its own constructor
_BEYOND = 1 << 63  # the first integer that has no place in 64 signed bits


class FileState(NamedTuple):
    """What the file system says of a file's content without reading it.

    `size` is in bytes, the times in nanoseconds since 1970, `inode` is the file's number.
    All are signed 64-bit integers, as databases have no others: what is beyond, such as a
    year after 2262, is folded into them, and still differs when it changes.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileState":
        """Return the state that a ``stat`` call gave."""
        numbers = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        return cls(*map(_folded, numbers))


class FoundFile(NamedTuple):
    """An image file: its path in stored form, relative to the archive, and what `stat` said."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @property
    def state(self) -> FileState:
        """Its state, as it is stored."""
        return FileState(*map(_folded, self[1:]))


def _folded(number: int) -> int:
    if -_BEYOND <= number < _BEYOND:
        return number
    return (number + _BEYOND) % (2 * _BEYOND) - _BEYOND


class Unlooked(NamedTuple):
    """A place that could not be looked at.

    `path` ends with a slash where it is a folder, and then stands for all that is below it.
    `only_if_known` says that it is of no account where the index holds nothing of it: a link
    that leads nowhere is either litter, or the way to a disk that is not mounted.
    """

    path: str
    reason: str
    only_if_known: bool = False


def is_image(name: str) -> bool:
    """Say whether a file of that name is considered at all."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def scan(root: str, under: str = "") -> Iterator[list[FoundFile] | Unlooked]:
    """Yield the image files below a folder, in the order of their stored paths' bytes.

    They come in runs of files that follow each other in one folder: what is done for a run
    at once is fast. A link to a file counts as a file. A link to a folder is followed where
    it leads out of the archive to a place that no other link has led to: so loops end, and
    no file is found twice. The order is that of a database's index on the path, so that both
    can be read side by side; memory is that of the largest single folder.

    Parameters
    ----------
    root
        The archive's folder, as ``os`` functions take it.
    under
        A folder of it, relative, in stored form, ending with a slash; empty for all of it.
    """
    followed = [os.path.realpath(root)]
    folders = [_contents(absolute(root, under), under)]
    while folders:
        item = next(folders[-1], None)
        if item is None:
            folders.pop()
        elif isinstance(item, list | Unlooked):
            yield item
        else:
            prefix, entry = item
            if _is_new_place(entry, followed):
                folders.append(_contents(entry.path, prefix))


def look_at(root: str, paths: Iterable[str]) -> Iterator[list[FoundFile] | Unlooked]:
    """Yield the files of a list, in stored form, that are there; in the order of `scan`."""
    for path in sorted(paths):
        try:
            status = os.stat(absolute(root, path))
        except OSError as problem:
            if problem.errno not in _NOWHERE:
                yield Unlooked(path, reason(problem))
            continue
        if S_ISREG(status.st_mode):
            yield [FoundFile(path, *FileState.of(status))]


def reason(problem: OSError) -> str:
    """Return what the system says of a failed call, without numbers and paths."""
    return problem.strerror or str(problem)


_Subfolder = tuple[str, "os.DirEntry[str]"]  # its path with a slash, and itself


def _contents(place: str, prefix: str) -> Iterator[list[FoundFile] | Unlooked | _Subfolder]:
    """Yield what is directly in a folder: runs of files, and the folders between them."""
    try:
        files, others = _listed(place, prefix)
    except OSError as problem:
        yield Unlooked(prefix, reason(problem))
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


def _listed(place: str, prefix: str) -> tuple[list[FoundFile], list[Unlooked | _Subfolder]]:
    """Return a folder's images, and its subfolders and what could not be looked at.

    The loop that a million unchanged files go through: each call in it counts.
    """
    files: list[FoundFile] = []
    others: list[Unlooked | _Subfolder] = []
    with os.scandir(place) as listing:
        for entry in listing:
            name = entry.name
            path = prefix + (name if name.isascii() and "\\" not in name else to_text(name))
            if not name.lower().endswith(IMAGE_SUFFIXES):
                if _is_folder(entry):
                    others.append((path + "/", entry))
                elif entry.is_symlink() and not os.path.exists(entry.path):
                    others.append(_gone(path + "/"))
                continue
            try:
                status = _status(entry)
            except OSError as problem:
                if problem.errno not in _NOWHERE:
                    others.append(Unlooked(path, reason(problem)))
                elif entry.is_symlink():
                    others.append(_gone(path))
                continue
            if S_ISREG(status.st_mode):  # a pipe or a socket would hang whoever opens it
                numbers = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
                files.append(_new_tuple(FoundFile, (path, *numbers)))
            elif S_ISDIR(status.st_mode):  # it may be called what it likes
                others.append((path + "/", entry))
    return files, others


def _gone(link: str) -> Unlooked:
    return Unlooked(link, "its target is not there", only_if_known=True)


def _is_new_place(folder: "os.DirEntry[str]", followed: list[str]) -> bool:
    """Say whether a folder is to be entered, and remember where a link led."""
    if not folder.is_symlink():
        return True
    place = os.path.realpath(folder.path)
    if any(is_inside(place, other) or is_inside(other, place) for other in followed):
        return False
    followed.append(place)
    return True


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError as problem:
        # A link whose target cannot be looked at may be a folder of known images: taken for
        # one, it is reported when it cannot be listed.
        return problem.errno not in _NOWHERE
