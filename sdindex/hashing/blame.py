"""What is to blame when a file cannot be read: its bytes, the system, or the program.

Only what is wrong with its bytes is kept as a verdict on an image.
"""

import errno
import io
from collections.abc import Callable
from functools import cache
from io import BytesIO
from typing import Any, BinaryIO, TypeVar

from PIL import Image, UnidentifiedImageError

from sdindex.errors import LACKING

# How files begin, and the format that is decoded then.
_BEGINNINGS = {
    b"\xff\xd8": "JPEG",
    b"\x89PNG": "PNG",
    b"BM": "BMP",
    b"II": "TIFF",
    b"MM": "TIFF",
    b"RIFF": "WEBP",
}

_LONGEST_BEGINNING = 4
_BUFFER = 1 << 16  # bytes: what a camera writes before the picture, and what libjpeg asks for

Decoded = TypeVar("Decoded")


class ProgramFaultError(Exception):
    """The program, or what it is installed with, fails, whatever the image."""


class WatchedFile(io.RawIOBase):
    """A file that remembers what went wrong when it was read.

    Decoders raise errors with a number as if they were the system's, and pass over some that
    are the system's. They get no number of an open file: one would go around this.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.problem: Exception | None = None

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from anywhere."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what comes next into a buffer; return how many bytes."""
        try:
            content = self._file.read(len(buffer))
        except Exception as problem:
            self.problem = problem
            raise
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to where the next bytes are read; return that."""
        try:
            return self._file.seek(offset, whence)
        except OSError as problem:
            if problem.errno != errno.EINVAL:  # the decoder's: bytes say where to go
                self.problem = problem
            raise


def decoded(
    opened: BinaryIO, size: int, decode: Callable[[BinaryIO], Decoded]
) -> tuple[Decoded | None, str | None]:
    """Return what `decode` makes of an open file of `size` bytes, or else why it is damaged.

    Raises
    ------
    OSError
        When the system does not give all of the file, or the machine lacks something.
    ProgramFaultError
        When no image could be decoded now.
    """
    watched = WatchedFile(opened)
    file = io.BufferedReader(watched, _BUFFER)
    beginning = file.peek(_LONGEST_BEGINNING)
    try:
        made = decode(file)
    except MemoryError:
        raise  # of this moment, and not of the file
    except Exception as problem:  # noqa: BLE001  (a decoder may raise anything on hostile
        # bytes: it costs that file, and the reason is kept)
        if watched.problem is None:
            _raise_if_not_of_bytes(problem, beginning, decode)
            return None, explain(problem, size)
    if watched.problem is not None:  # whether or not the decoder got over it
        raise watched.problem
    return made, None


def _raise_if_not_of_bytes(
    problem: Exception, beginning: bytes, decode: Callable[[BinaryIO], object]
) -> None:
    """Raise what is not to be blamed on the bytes of a file that begins so.

    `decode` is given an image of the same format in which nothing is wrong: if it fails,
    too, it did not for the bytes.
    """
    if isinstance(problem, OSError) and problem.errno in LACKING:
        raise problem
    if isinstance(problem, ImportError | NameError):
        raise ProgramFaultError(_told(problem)) from problem
    form = next((_BEGINNINGS[start] for start in _BEGINNINGS if beginning.startswith(start)), None)
    if form is None and isinstance(problem, UnidentifiedImageError):
        return
    try:
        decode(BytesIO(whole_image(form or "JPEG")))
    except MemoryError:
        raise
    except Exception as same:
        raise ProgramFaultError(_told(same)) from same


@cache
def whole_image(form: str) -> bytes:
    """Return an image of a format in which nothing is wrong."""
    content = BytesIO()
    Image.new("RGB", (16, 16)).save(content, form)
    return content.getvalue()


def _told(problem: Exception) -> str:
    """Return where and what a fault is, in one line."""
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" in {trace.tb_frame.f_globals.get('__name__')}" if trace is not None else ""
    return f"{type(problem).__name__}{where}: {problem}"


def explain(problem: BaseException, size: int) -> str:
    """Return why an image of `size` bytes could not be read, in words for people."""
    if size == 0:
        return "empty file (0 bytes)"
    if isinstance(problem, UnidentifiedImageError):
        return "not an image of a known format (JPEG, PNG, BMP, TIFF, WebP)"
    if isinstance(problem, Image.DecompressionBombError):
        return f"too large to decode safely: {str(problem).partition(',')[0]}"
    text = str(problem)
    if "truncated" in text.lower():
        return f"cut short: {text}"
    return f"damaged: {text or type(problem).__name__}"
