"""Where results go: stdout, or a file that is written whole or not at all."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import IO, Any, cast

from sdindex.archive.names import from_utf8, printable
from sdindex.archive.scan import is_image, reason
from sdindex.errors import OutputError

STDOUT = "-"


@contextmanager
def writing(output: str, *, index: Path | None = None) -> Iterator[IO[bytes]]:
    """Give a stream to write to.

    A new file takes its place when the block ends without an error; until then the old one
    is as it was. What is no regular file, such as a pipe, is written straight into.

    Parameters
    ----------
    output
        A path; ``-`` is stdout.
    index
        The index's file, which is never written over.

    Raises
    ------
    OutputError
        When it cannot be written. A closed pipe raises ``BrokenPipeError`` as always.
    """
    try:
        if output == STDOUT:
            if sys.stdout is None:
                raise OutputError("stdout is closed; name a file with -o")
            yield cast("IO[bytes]", _Terminal()) if sys.stdout.isatty() else sys.stdout.buffer
            sys.stdout.flush()
        else:
            _refuse_what_is_of_worth(output, index)
            with _file(os.path.realpath(output)) as file:
                yield file
    except OSError as problem:
        if problem.errno == errno.EPIPE:
            raise
        where = "to stdout" if output == STDOUT else printable(output) or "a file without a name"
        raise OutputError(f"cannot write {where}: {reason(problem)}") from problem


class _Terminal(RawIOBase):
    """What people read, not programs: nothing in a name acts on a terminal."""

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, content: Any) -> int:
        """Write whole lines, in which control characters are shown as escapes."""
        text = from_utf8(bytes(content).decode("utf-8", "surrogateescape"))
        lines = text.replace("\r\n", "\n").split("\n")
        shown = "\n".join(map(printable, lines))
        sys.stdout.buffer.write(shown.encode(sys.stdout.encoding, "backslashreplace"))
        return len(content)


def _refuse_what_is_of_worth(output: str, index: Path | None) -> None:
    if index is not None and Path(output).exists() and index.samefile(output):
        raise OutputError(f"{printable(output)} is the index itself; name another file with -o")
    if is_image(output):
        raise OutputError(f"{printable(output)} is named like an image; name another file with -o")


@contextmanager
def _file(path: str) -> Iterator[IO[bytes]]:
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as special:
            yield special
        return
    draft = f"{path}.part{os.getpid()}"
    try:
        with open(draft, "xb") as file:
            yield file
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
