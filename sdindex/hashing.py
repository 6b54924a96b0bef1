"""One image file to its hash and what else sampling needs, from one opening of the file."""

import os
import time
import warnings
from datetime import UTC, datetime
from typing import BinaryIO, NamedTuple

import imagehash
import numpy as np
from PIL import (
    BmpImagePlugin,  # noqa: F401  (named, so that Pillow need not import every plugin it has)
    Image,
    ImageStat,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from sdindex.methods import Method
from sdindex.scan import FileState

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
# 16 times the 9 x 8 grid that is hashed: libjpeg decodes to no less than this.
SCALED_SIZE = (144, 128)
SETTLING_NS = 2_000_000_000

_notes: list[str] = []  # see note_warnings

_EXIF_IFD = 0x8769
_DATE_TIME_ORIGINAL = 0x9003


class Picture(NamedTuple):
    """What sampling needs of an image that could be read.

    `dhash` is a signed 64-bit integer, `brightness` the mean, 0 to 255, of the grey picture
    that was hashed; `width` and `height` are the image's own, in pixels; `taken_at` is the
    camera's local time, None when the image has none.
    """

    dhash: int
    brightness: float
    width: int
    height: int
    taken_at: datetime | None


class ImageRead(NamedTuple):
    """What one reading of a file gave: a `picture`, or an `error` in words for people.

    `settled` is False when the file may change, or have changed, without showing it, so
    that it must be read again. `read_at` is in UTC. `notes` are what the decoder complained
    of and got over.
    """

    state: FileState
    settled: bool
    read_at: datetime
    picture: Picture | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()


def read_image(path: str, method: Method) -> ImageRead:
    """Read one image file.

    A file that is no image, or a broken one, is an answer, not an exception.

    Raises
    ------
    OSError
        When the system does not give the file, or not all of it.
    """
    read_ns = time.time_ns()
    read_at = datetime.fromtimestamp(read_ns / 1e9, UTC).replace(tzinfo=None)
    with open(path, "rb") as file:
        before = FileState.of(os.fstat(file.fileno()))
        picture, error = _decode(file, before.size, method)
        after = FileState.of(os.fstat(file.fileno()))
    settled = after == before and abs(read_ns - before.mtime_ns) > SETTLING_NS
    return ImageRead(before, settled, read_at, picture, error, _taken_notes())


def note_warnings() -> None:
    """Have what this process warns of become the notes of the image that it reads.

    For a process that reads one image at a time, and does nothing else.
    """
    warnings.simplefilter("always")
    warnings.showwarning = lambda message, *_: _notes.append(str(message))


def _taken_notes() -> tuple[str, ...]:
    taken = tuple(_notes)
    _notes.clear()
    return taken


def _decode(file: BinaryIO, size: int, method: Method) -> tuple[Picture | None, str | None]:
    try:
        return _picture(file, method), None
    except MemoryError:
        raise  # of this moment, and not of the file
    except Exception as problem:  # noqa: BLE001  (a decoder may raise anything on hostile
        # bytes: it costs that file, and the reason is kept)
        raise_if_systems(problem)
        return None, explain(problem, size)


def _picture(file: BinaryIO, method: Method) -> Picture:
    with Image.open(file, formats=FORMATS) as image:
        width, height = image.size
        refuse_if_huge(image)
        grey = _grey(image, method)
        brightness = ImageStat.Stat(grey).mean[0]
        return Picture(dhash(grey), brightness, width, height, _taken_at(image))


def _grey(image: Image.Image, method: Method) -> Image.Image:
    if method == "scaled":
        image.draft("L", SCALED_SIZE)  # a JPEG only; it gives the luma channel as it is stored
    if image.mode == "L":
        return image
    return image.convert("RGB").convert("L")


def dhash(grey: Image.Image) -> int:
    """Return ``imagehash.dhash`` as a signed integer, row 0, column 0 the highest bit."""
    bits = np.packbits(imagehash.dhash(grey, hash_size=8).hash)
    return int.from_bytes(bits.tobytes(), "big", signed=True)


def _taken_at(image: Image.Image) -> datetime | None:
    """Return EXIF DateTimeOriginal; None when it is absent, blank or broken."""
    try:
        written = image.getexif().get_ifd(_EXIF_IFD).get(_DATE_TIME_ORIGINAL)
        return datetime.strptime(str(written).strip("\0 "), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007
    except Exception:  # noqa: BLE001  (broken EXIF is no reason to lose a picture that decodes)
        return None


def refuse_if_huge(image: Image.Image) -> None:
    """Refuse to decode what Pillow itself only warns of, or would fill the memory."""
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or 0):
        raise Image.DecompressionBombError(f"{image.width} x {image.height} pixels")


def raise_if_systems(problem: Exception) -> None:
    """Raise again what the system said, such as an I/O error; Pillow's own has no number."""
    if isinstance(problem, OSError) and problem.errno is not None:
        raise problem


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
