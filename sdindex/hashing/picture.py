"""The result of reading an image file, in types that need no decoder."""

from datetime import datetime
from typing import NamedTuple

from sdindex.archive.roots import Files
from sdindex.archive.state import FileState
from sdindex.hashing.methods import Method


class Picture(NamedTuple):
    """The properties of an image that sampling needs.

    `dhash` is a signed 64-bit integer; `brightness` the mean of the hashed grey picture, 0 to 255;
    `grey` the 72 bytes, row by row, of the 9 x 8 greys that a dHash compares; `colour` the mean
    distance of the colours (Cb, Cr) from their mean, 0 for a grey picture, None where it is not
    known, as of a JPEG stored in RGB. `width` and `height` are those of the picture as it is
    shown, in pixels: turned as EXIF says; `taken_at` is the camera's local time, or None.
    `without_thumbnail` says that the method hashes the EXIF thumbnail, and had to hash the whole
    image.
    """

    dhash: int
    brightness: float
    grey: bytes
    colour: float | None
    width: int
    height: int
    taken_at: datetime | None
    without_thumbnail: bool = False


class ImageRead(NamedTuple):
    """The result of reading a file: a `picture`, or an `error` for the user.

    `settled` is False when the file may have changed without a new size or time, so that it must be
    read again. `read_at` is in UTC. `notes` are what the decoder complained of while it went on.
    """

    state: FileState
    settled: bool
    read_at: datetime
    picture: Picture | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()


# What a process imports before it reads images, so that the first image takes no longer.
PRELOAD = (
    "sdindex.hashing.image", "PIL.GifImagePlugin", "PIL.PpmImagePlugin", "_strptime",
)  # fmt: skip


def get_ready() -> None:
    """Prepare this process to read images, one at a time, and to do nothing else."""
    from sdindex.hashing import image, notes

    notes.take_notes()
    image.read_nothing()  # with too little memory for that, no image could be read


def read_image(root: Files, path: str, method: Method, *, whole: bool = False) -> ImageRead:
    """Read one image file.

    A file that is no image, or a broken one, is an answer, not an exception.

    Parameters
    ----------
    root
        The root, or the file that was fetched from it.
    path
        Its path in the root, in stored form.
    whole
        Decode the whole file even when only its thumbnail is hashed: else a file that is broken
        behind the thumbnail is not noticed.

    Raises
    ------
    OSError
        When the system does not give the file, or not all of it, or the machine lacks
        something.
    sdindex.hashing.blame.ProgramFaultError
        When no image can be decoded.
    """
    # Pillow and numpy, which only a worker needs
    from sdindex.hashing import image

    return image.read_image(root, path, method, whole=whole)
