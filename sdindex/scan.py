"""A folder's image files and what the file system says of each, without opening one."""

import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple

from sdindex.names import absolute, is_inside, to_text

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
# Gone since the folder was listed, or a link to nothing, through a file, or to itself.
_NOWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
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
        return cls(*(_folded(number) for number in numbers))


def _folded(number: int) -> int:
    if -_BEYOND <= number < _BEYOND:
        return number
    return (number + _BEYOND) % (2 * _BEYOND) - _BEYOND


class FoundFile(NamedTuple):
    """An image file: its path in stored form, relative to the archive, and its state."""

    path: str
    state: FileState


class Unlooked(NamedTuple):
    """A place that could not be looked at.

    `path` ends with a slash where it is a folder, and then stands for all that is below it.
    """

    path: str
    reason: str


def is_image(name: str) -> bool:
    """Say whether a file of that name is considered at all."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def scan(root: str, under: str = "") -> Iterator[FoundFile | Unlooked]:
    """Yield the image files below a folder, in the order of their stored paths' bytes.

    A link to a file counts as a file. A link to a folder is followed where it leads out of
    the archive to a place that no other link has led to: so loops end, and no file is found
    twice. The order is that of a database's index on the path, so that both can be read
    side by side; memory is that of the largest single folder.

    Parameters
    ----------
    root
        The archive's folder, as ``os`` functions take it.
    under
        A folder of it, relative, in stored form, ending with a slash; empty for all of it.
    """
    followed = [os.path.realpath(root)]
    folders = [_Folder(absolute(root, under), under)]
    while folders:
        try:
            path, entry = next(folders[-1])
        except StopIteration:
            folders.pop()
        except OSError as problem:
            yield Unlooked(folders.pop().prefix, reason(problem))
        else:
            if not path.endswith("/"):
                yield from _file(path, entry)
            elif _is_new_place(entry, followed):
                folders.append(_Folder(entry.path, path))


def look_at(root: str, paths: Iterable[str]) -> Iterator[FoundFile | Unlooked]:
    """Yield the files of a list, in stored form, that are there; in the order of `scan`."""
    for path in sorted(paths):
        yield from _file(path, absolute(root, path))


def reason(problem: OSError) -> str:
    """Return what the system says of a failed call, without numbers and paths."""
    return problem.strerror or str(problem)


class _Folder(Iterator[tuple[str, "os.DirEntry[str]"]]):
    """The images and folders directly in a folder, by path; listed when first asked for."""

    def __init__(self, place: str, prefix: str) -> None:
        self.prefix = prefix
        self._place = place
        self._entries: Iterator[tuple[str, os.DirEntry[str]]] | None = None

    def __next__(self) -> tuple[str, "os.DirEntry[str]"]:
        if self._entries is None:
            with os.scandir(self._place) as listing:
                self._entries = iter(sorted(self._considered(listing), key=itemgetter(0)))
        return next(self._entries)

    def _considered(
        self, listing: Iterator["os.DirEntry[str]"]
    ) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
        for entry in listing:
            path = self.prefix + to_text(entry.name)
            if _is_folder(entry):
                yield path + "/", entry
            elif is_image(entry.name):
                yield path, entry


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


def _file(path: str, place: "str | os.DirEntry[str]") -> Iterator[FoundFile | Unlooked]:
    try:
        status = _status(place)
    except OSError as problem:
        if problem.errno not in _NOWHERE:
            yield Unlooked(path, reason(problem))
        return
    if stat.S_ISREG(status.st_mode):  # a pipe or a socket would hang whoever opens it
        yield FoundFile(path, FileState.of(status))


def _status(place: "str | os.DirEntry[str]") -> os.stat_result:
    # What Windows lists of a file may be out of date, and has no inode.
    if isinstance(place, str) or sys.platform == "win32":
        return os.stat(place)
    return place.stat()
