"""Small pictures for the report, made by the same workers that read images."""

import warnings
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageOps

from sdindex.hashing import FORMATS, explain


class Thumbnail(NamedTuple):
    """A JPEG, or the reason why there is none."""

    jpeg: bytes | None
    error: str | None


def thumbnail(path: str, side: int) -> Thumbnail:
    """Return an image as a JPEG of at most `side` pixels each way, upright.

    Raises
    ------
    OSError
        When the file cannot be opened.
    """
    with open(path, "rb") as file, warnings.catch_warnings(record=True):
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(file, formats=FORMATS) as image:
                image.draft("RGB", (side, side))
                small = ImageOps.exif_transpose(image).convert("RGB")
                small.thumbnail((side, side))
                content = BytesIO()
                small.save(content, "JPEG", quality=70, optimize=True)
        except Exception as problem:  # noqa: BLE001  (a decoder may raise anything on hostile
            # bytes: the page shows the reason in the picture's place)
            return Thumbnail(None, explain(problem, file.seek(0, 2)))
    return Thumbnail(content.getvalue(), None)
