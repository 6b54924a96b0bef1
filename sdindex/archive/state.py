"""Size, times and inode of an image file, known without reading it; `changes` compares them."""

import os
from typing import NamedTuple

_BEYOND = 1 << 63  # the first integer that does not fit into 64 signed bits


# What of a state is compared to tell whether a file is as it was.
BY_TIME = ("size", "mtime_ns")
BY_ALL = ("size", "mtime_ns", "ctime_ns", "inode")
BY_VERSION = ("size", "inode")  # an object's, whose inode stands for its ETag


class FileState(NamedTuple):
    """Size, times and inode of a file, known without reading it.

    `size` is in bytes, the times in nanoseconds since 1970, `inode` is the file's number.
    An object of a store has no ctime, and a number made of its ETag as its inode.
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
        return cls(*map(folded, numbers))


class FoundFile(NamedTuple):
    """An image file: its path in stored form, relative to the archive, and what `stat` said.

    `version` is an object's ETag, by which that content is asked for; a file has none.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    version: str = ""

    @property
    def state(self) -> FileState:
        """Return its state, as it is stored."""
        return FileState(*map(folded, self[1:5]))


def folded(number: int) -> int:
    """Return a number as a signed 64-bit integer, by which it still differs from others."""
    if -_BEYOND <= number < _BEYOND:
        return number
    return (number + _BEYOND) % (2 * _BEYOND) - _BEYOND
