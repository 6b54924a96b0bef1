"""Input files, which may be pipes, to be read from the start as often as needed."""

import codecs
import io
import os
import shutil
import sys
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from stat import S_ISREG
from typing import IO, BinaryIO

STDIN = "-"
_LONGEST_LINE = 1 << 20  # characters; a longer one is no line of a table


class Input:
    """An input file, or stdin; a pipe is copied to a temporary file when it is first read.

    Parameters
    ----------
    name
        ``-`` is stdin.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """Open it at the start, after a byte order mark if there is one.

        Raises
        ------
        OSError
            When it cannot be read.
        """
        if self._copy is not None:
            yield _at_start(self._copy)
            return
        with open(self.name, "rb") as file:
            yield _at_start(file)

    @cached_property
    def _copy(self) -> IO[bytes] | None:
        """A copy of an input that can be read only once; None for a file."""
        if self.name == STDIN:
            return self._kept(sys.stdin.buffer)
        if S_ISREG(os.stat(self.name).st_mode):
            return None
        with open(self.name, "rb") as file:
            return self._kept(file)

    def _kept(self, file: BinaryIO) -> IO[bytes]:
        kept = ExitStack()
        copy = kept.enter_context(_copied(file))
        weakref.finalize(self, kept.close)  # it exists as long as this object
        return copy


def lines_of(file: IO[bytes]) -> tuple[io.TextIOWrapper, Iterator[str]]:
    """Return a text wrapper of a file (detach it at the end) and the lines.

    Bytes that are no UTF-8 become lone surrogates.
    """
    text = io.TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="")
    return text, iter(lambda: text.readline(_LONGEST_LINE), "")


def is_json(file: IO[bytes]) -> bool:
    """Say whether a file is JSON: it begins and ends with the brackets of a list or object."""
    start = file.tell()
    first = file.read(4096).lstrip()[:1]
    end = file.seek(0, os.SEEK_END)
    file.seek(max(start, end - 4096))
    last = file.read().rstrip()[-1:]
    file.seek(start)
    return first + last in (b"[]", b"{}")


@contextmanager
def _copied(file: BinaryIO) -> Iterator[IO[bytes]]:
    import tempfile  # only for pipes

    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        yield copy


def _at_start(file: IO[bytes]) -> IO[bytes]:
    file.seek(0)
    mark = file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
    file.seek(len(codecs.BOM_UTF8) if mark else 0)
    return file
