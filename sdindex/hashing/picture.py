"""The results of reading an image file, as types that need no decoder."""

from datetime import datetime
from typing import NamedTuple

from sdindex.archive.roots import Files
from sdindex.archive.state import FileState
from sdindex.hashing.methods import Method


class Picture(NamedTuple):
    """The properties of an image that sampling needs.

    `dhash` is a signed 64-bit integer, `brightness` the mean, 0 to 255, of the grey picture
    that was hashed; `grey` is the small grey picture, 9 x 8, that a dHash compares, row by row;
    `colour` the mean distance of the colours (Cb, Cr) from their mean: 0 for a grey picture,
    None where that is not known, as of a JPEG that is stored in RGB; `width` and `height` are
    the image's own, in pixels; `taken_at` is the camera's local time, None when the image has
    none. `without_thumbnail` says that the whole image was hashed by a method that hashes an EXIF
    thumbnail where there is one.
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
    """The result of reading a file: a `picture`, or an `error` in words for people.

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


# What a process imports before it reads images, and what is else imported with the first one.
PRELOAD = (
    "sdindex.hashing.image", "PIL.GifImagePlugin", "PIL.PpmImagePlugin", "_strptime",
)  # fmt: skip


def get_ready() -> None:
    """Make this process one that reads images, one at a time, and does nothing else."""
    from sdindex.hashing import image, notes

    notes.take_notes()
    image.read_nothing()  # a process that has too little for that reads no image


def read_image(root: Files, path: str, method: Method, *, whole: bool = False) -> ImageRead:
    """Read one image file.

    A file that is no image, or a broken one, is an answer, not an exception.

    Parameters
    ----------
    root
        Where the image is, or the image, fetched from there.
    path
        Its path in the root, in stored form.
    whole
        Decode the whole file also where the thumbnail in its head is what is hashed: a file
        that is broken behind it is seen only then.

    Raises
    ------
    OSError
        When the system does not give the file, or not all of it, or the machine lacks
        something.
    sdindex.hashing.blame.ProgramFaultError
        When no image can be decoded.
    """
    # Pillow and numpy, for the worker that is sent here alone
    from sdindex.hashing import image

    return image.read_image(root, path, method, whole=whole)
