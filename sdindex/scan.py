"""A folder's image files and what the file system says of each, without opening one."""

import errno
import os
import stat
from collections.abc import Iterator
from operator import itemgetter
from typing import NamedTuple

from sdindex.names import from_text, to_text

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_SIGNED_64 = 1 << 63


class FileState(NamedTuple):
    """What the file system says of a file's content without reading it.

    `size` is in bytes, the times in nanoseconds since 1970; `inode` is the file's number,
    folded into a signed 64-bit integer, as databases have no other.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileState":
        """Return the state that a ``stat`` call gave."""
        inode = (status.st_ino + _SIGNED_64) % (2 * _SIGNED_64) - _SIGNED_64
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, inode)


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

    Links are followed, but not into a folder that is its own ancestor. The order is that of
    a database's index on the path, so that both can be read side by side; memory is that of
    the largest single folder.

    Parameters
    ----------
    root
        The archive's folder, as ``os`` functions take it.
    under
        A folder of it, relative, in stored form, ending with a slash; empty for all of it.
    """
    folders = [_Folder(os.path.join(root, from_text(under)) if under else root, under)]
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
            elif not any(folder.is_same(entry) for folder in folders):
                folders.append(_Folder(entry.path, path))


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

    def is_same(self, entry: "os.DirEntry[str]") -> bool:
        """Say whether a link leads back here."""
        return entry.is_symlink() and os.path.samefile(entry.path, self._place)

    def _considered(
        self, listing: Iterator["os.DirEntry[str]"]
    ) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
        for entry in listing:
            path = self.prefix + to_text(entry.name)
            if _is_folder(entry):
                yield path + "/", entry
            elif is_image(entry.name):
                yield path, entry


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError as problem:
        # A link to itself leads nowhere. One whose target cannot be looked at may be a
        # folder of known images: taken for one, it is reported when it cannot be listed.
        return problem.errno != errno.ELOOP


def _file(path: str, entry: "os.DirEntry[str]") -> Iterator[FoundFile | Unlooked]:
    try:
        status = entry.stat()
    except FileNotFoundError:  # gone since the folder was listed, or a link to nothing
        return
    except OSError as problem:
        if problem.errno != errno.ELOOP:
            yield Unlooked(path, reason(problem))
        return
    if stat.S_ISREG(status.st_mode):  # a pipe or a socket would hang whoever opens it
        yield FoundFile(path, FileState.of(status))
