"""Small pictures for the report, made by the same workers that read images."""

import os
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageOps

from sdindex.hashing.image import FORMATS, explain, raise_if_systems, refuse_if_huge

PRELOAD = (__name__,)  # what a process imports before it makes thumbnails


class Thumbnail(NamedTuple):
    """A JPEG, or the reason why there is none."""

    jpeg: bytes | None
    error: str | None


def thumbnail(path: str, side: int) -> Thumbnail:
    """Return an image as a JPEG of at most `side` pixels each way, upright.

    Raises
    ------
    OSError
        When the system does not give the file, or not all of it.
    """
    if not os.path.isfile(path):  # a pipe, say, which would hang whoever opens it
        raise FileNotFoundError(path)
    with open(path, "rb") as file:
        try:
            with Image.open(file, formats=FORMATS) as image:
                refuse_if_huge(image)
                image.draft("RGB", (side, side))
                small = ImageOps.exif_transpose(image).convert("RGB")
                small.thumbnail((side, side))
                content = BytesIO()
                small.save(content, "JPEG", quality=70, optimize=True)
        except Exception as problem:  # noqa: BLE001  (a decoder may raise anything on hostile
            # bytes: the page shows the reason in the picture's place)
            raise_if_systems(problem)
            return Thumbnail(None, explain(problem, file.seek(0, 2)))
    return Thumbnail(content.getvalue(), None)
