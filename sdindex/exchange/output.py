"""Writing results: to stdout, or to a file that is written whole or not at all."""

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

# The system's names of a program's open files.
_OPEN_FILES = ("/dev/stdout", "/dev/fd/", "/proc/self/fd/")
_BINARY = getattr(os, "O_BINARY", 0)  # only Windows has it


@contextmanager
def writing(output: str, *, index: Path | None = None) -> Iterator[IO[bytes]]:
    """Give a stream to write to.

    A new file replaces the old one when the block ends without an error; until then the old file
    stays. Links are refused. A pipe, another special file, or an open file such as ``/dev/fd/3`` is
    written to directly.

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
        if output == STDOUT or _is_stdout(output):
            if sys.stdout is None:
                raise OutputError("stdout is closed; name a file with -o")
            yield cast("IO[bytes]", _Terminal()) if sys.stdout.isatty() else sys.stdout.buffer
            sys.stdout.flush()
        elif _is_given(output) and not _is_index(output, index):
            with os.fdopen(os.dup(int(Path(output).name)), "wb") as file:
                yield file
        elif _is_special(output):
            with _into(output) as file:
                yield file
        else:
            _refuse_what_is_of_worth(output, index)
            with replacing(output) as file:
                yield file
    except OSError as problem:
        if problem.errno == errno.EPIPE:
            raise
        where = "to stdout" if output == STDOUT else printable(output) or "a file without a name"
        raise OutputError(f"cannot write {where}: {reason(problem)}") from problem


def new_file(path: str) -> IO[bytes]:
    """Make a new file to write to; nothing may have the name, not even a broken link.

    Raises
    ------
    FileExistsError
        When there is something of that name.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
    no_links = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    return os.fdopen(os.open(path, flags | no_links, 0o666), "wb")


def refuse_link(path: str, way_out: str) -> None:
    """Refuse to write to a link: the file behind it may be valuable.

    Raises
    ------
    OutputError
        When it is a link.
    """
    if os.path.islink(path):
        raise OutputError(
            f"{printable(path)} is a link to {printable(os.readlink(path))}; {way_out}"
        )


class _Terminal(RawIOBase):
    """Writes to a terminal; control characters in names are shown as escapes."""

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


def _is_stdout(output: str) -> bool:
    """Say whether a path is the system's name for stdout, such as ``/dev/stdout``."""
    if sys.stdout is None or not output.startswith(_OPEN_FILES):
        return False
    try:
        return os.path.samestat(os.stat(output), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):  # a stdout that is no file has no descriptor
        return False


def _is_given(output: str) -> bool:
    """Say whether a path names, by its number, an open file that the program was started with.

    Files that Python opens itself, such as the index, are not inheritable.
    """
    number = output.rpartition("/")[2]
    if not output.startswith(_OPEN_FILES) or not number.isdecimal():
        return False
    try:
        return os.get_inheritable(int(number))
    except (OSError, OverflowError):  # there is none
        return False


def _is_index(output: str, index: Path | None) -> bool:
    return index is not None and os.path.exists(output) and index.samefile(output)


def _is_special(output: str) -> bool:
    return os.path.exists(output) and not os.path.isfile(output)


def _refuse_what_is_of_worth(output: str, index: Path | None) -> None:
    if _is_index(output, index):
        raise OutputError(f"{printable(output)} is the index itself; name another file with -o")
    if is_image(output):
        raise OutputError(f"{printable(output)} is named like an image; name another file with -o")
    refuse_link(output, "name the file itself with -o, or remove the link")


@contextmanager
def _into(special: str) -> Iterator[IO[bytes]]:
    """Write to a special file; it is not truncated, should it have become a regular file."""
    with os.fdopen(os.open(special, os.O_WRONLY | _BINARY), "wb") as file:
        yield file


@contextmanager
def replacing(path: str) -> Iterator[IO[bytes]]:
    """Give a new file, which gets its name when the block ends without an error."""
    draft = path + draft_suffix()
    file = new_file(draft)
    try:
        with file:
            yield file
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def draft_suffix() -> str:
    """Return the suffix of a file's name while it is written."""
    return f".part{os.urandom(4).hex()}"
