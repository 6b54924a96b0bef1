"""Thumbnails: small pictures, made in processes as images are read."""

from functools import partial
from io import BytesIO
from typing import BinaryIO, NamedTuple

from PIL import Image, ImageOps

from sdindex.archive.roots import Files
from sdindex.hashing.blame import decoded
from sdindex.hashing.image import FORMATS, refuse_if_huge

PRELOAD = (__name__,)  # modules that a process imports before it makes thumbnails


class Thumbnail(NamedTuple):
    """A JPEG, or the reason why there is none."""

    jpeg: bytes | None
    error: str | None


def thumbnail(root: Files, path: str, side: int) -> Thumbnail:
    """Return an image as a JPEG of at most `side` pixels each way, upright.

    Raises
    ------
    OSError
        When the system does not give the file, or not all of it.
    sdindex.hashing.blame.ProgramFaultError
        When no image can be decoded.
    """
    with root.open(path) as file:
        return Thumbnail(*decoded(file, root.state_of(file).size, partial(_small, side=side)))


def _small(file: BinaryIO, side: int) -> bytes:
    with Image.open(file, formats=FORMATS) as image:
        refuse_if_huge(image, drafted=True)
        image.draft("RGB", (side, side))
        small = ImageOps.exif_transpose(image).convert("RGB")
        small.thumbnail((side, side))
        content = BytesIO()
        small.save(content, "JPEG", quality=70, optimize=True)
        return content.getvalue()
