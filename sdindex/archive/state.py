"""The state of a file: size, times and inode. `changes` compares states to see what changed."""

import os
from typing import NamedTuple

_BEYOND = 1 << 63  # the first integer that does not fit into 64 signed bits


# The fields of a state that are compared to see whether a file changed.
BY_TIME = ("size", "mtime_ns")
BY_ALL = ("size", "mtime_ns", "ctime_ns", "inode")
BY_VERSION = ("size", "inode")  # of an object, whose inode stands for its ETag


class FileState(NamedTuple):
    """Size, times and inode of a file, known without reading it.

    `size` is in bytes, the times in nanoseconds since 1970, `inode` is the file's number. An object
    of a store has no ctime, and its inode is a number made of its ETag. All are signed 64-bit
    integers, as in databases: a larger number, such as a time after 2262, is folded into that
    range, and still differs when it changes.
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
    """An image file: its archive-relative path in stored form, and its state.

    `version` is an object's ETag, with which exactly this content is requested; a file has none.
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
    """Return a number folded into the range of signed 64-bit integers."""
    if -_BEYOND <= number < _BEYOND:
        return number
    return (number + _BEYOND) % (2 * _BEYOND) - _BEYOND
