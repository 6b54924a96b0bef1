"""Whose fault it is when a file cannot be read: its bytes', the system's, or the program's.

Only a fault of its bytes is stored as an image's error.
"""

import errno
import io
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import Any, BinaryIO, NamedTuple, TypeVar

from PIL import ExifTags, Image, UnidentifiedImageError

from sdindex.errors import LACKING

# How files begin, and the format that each is decoded as.
_BEGINNINGS = {
    b"\xff\xd8": "JPEG",
    b"\x89PNG": "PNG",
    b"BM": "BMP",
    b"II": "TIFF",
    b"MM": "TIFF",
    b"RIFF": "WEBP",
}

_LONGEST_BEGINNING = 4
_BUFFER = 1 << 16  # bytes: what cameras write before the picture, and what libjpeg asks for at once

_LONGEST_SIDE = 2048  # pixels of an image that is made to find out whose fault it is
TAKEN = "2000:01:01 00:00:00"

Decoded = TypeVar("Decoded")


class Encoding(NamedTuple):
    """How an image is encoded, as far as it decides which parts of the decoders read it."""

    form: str
    mode: str = "RGB"
    size: tuple[int, int] = (16, 16)
    is_packed: bool = False


class ProgramFaultError(Exception):
    """The program, or a package that it needs, fails, whatever the image."""


class WatchedFile(io.RawIOBase):
    """An open file that remembers which error the system raised when it was read.

    Decoders raise errors that look like the system's, and hide some that are. They get no file
    descriptor: with one they would read past this object.
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
            if problem.errno != errno.EINVAL:  # the decoder's fault: the bytes say where to go
                self.problem = problem
            raise


def decoded(
    opened: BinaryIO, size: int, decode: Callable[[BinaryIO], Decoded]
) -> tuple[Decoded | None, str | None]:
    """Return what `decode` makes of an open file of `size` bytes, or why it is damaged.

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
    except (MemoryError, ProgramFaultError):
        raise  # a fault of this moment, and not of the file
    except Exception as problem:  # noqa: BLE001  (a decoder may raise anything on hostile
        # bytes: it costs that file, and the reason is kept)
        if watched.problem is None and not isinstance(problem, Image.DecompressionBombError):
            kind = _encoding(file, beginning)
            if watched.problem is None:
                raise_if_ours(problem, lambda: decode(BytesIO(whole_image(*kind))))
        if watched.problem is None:
            return None, explain(problem, size)
    if watched.problem is not None:  # also where the decoder went on
        raise watched.problem
    return made, None


def raise_if_ours(problem: Exception, again: Callable[[], object]) -> None:
    """Raise where a problem is no fault of the bytes that were decoded.

    `again` does the same with a sound image: where that fails, too, the bytes are not at fault.

    Raises
    ------
    OSError
        When the machine lacks something.
    ProgramFaultError
        When the program, or a package that it needs, is at fault.
    """
    if isinstance(problem, OSError) and problem.errno in LACKING:
        raise problem
    if isinstance(problem, ImportError | NameError):
        raise ProgramFaultError(_told(problem)) from problem
    try:
        again()
    except (MemoryError, ProgramFaultError):
        raise
    except Exception as same:
        raise ProgramFaultError(_told(same)) from same


def _encoding(file: BinaryIO, beginning: bytes) -> "Encoding":
    """Return how an image is encoded, as far as its beginning tells."""
    try:
        file.seek(0)
        with Image.open(file, formats=[*_BEGINNINGS.values()]) as image:
            form = image.format if image.format in _BEGINNINGS.values() else "JPEG"
            width, height = (max(1, min(side, _LONGEST_SIDE)) for side in image.size)
            is_packed = form == "TIFF" and image.info.get("compression") != "raw"
            return Encoding(str(form), image.mode, (width, height), is_packed)
    except Exception:  # noqa: BLE001  (what is wrong shows in the sound image)
        begun = (form for start, form in _BEGINNINGS.items() if beginning.startswith(start))
        return Encoding(next(begun, "JPEG"))


@lru_cache(maxsize=4)
def whole_image(
    form: str, mode: str = "RGB", size: tuple[int, int] = (16, 16), is_packed: bool = False
) -> bytes:
    """Return a sound image, so encoded, with an EXIF time.

    Where the format has no such mode, it is in colour.
    """
    options = {"compression": "tiff_lzw"} if is_packed else {}  # which libtiff decodes
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = TAKEN
    content = BytesIO()
    try:
        Image.new(mode, size).save(content, form, exif=exif, **options)
    except (OSError, KeyError, ValueError):
        content = BytesIO()
        Image.new("RGB", size).save(content, form, exif=exif, **options)
    return content.getvalue()


def _told(problem: Exception) -> str:
    """Return in one line what an exception is, and where it was raised."""
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
