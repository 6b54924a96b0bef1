"""What an image's hash is by Pillow and imagehash alone, to compare the program's with."""

from __future__ import annotations

import os
import warnings
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import imagehash
from PIL import ExifTags, Image

from sdindex.hashing.methods import Method

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
HUGE = Image.MAX_IMAGE_PIXELS or 0
_SCALED_SIZE = (144, 128)
_HEAD = 64 << 10  # bytes that `thumbnail` reads
_START, _LENGTH = 0x0201, 0x0202


class Judged(NamedTuple):
    """Hashes of an image; none where Pillow cannot read the whole of it."""

    exact: int | None
    scaled: int | None
    thumbnails: frozenset[int]
    is_huge: bool

    def right(self, method: Method) -> set[int]:
        """Return the hashes that are right by a method; none where an image cannot be read."""
        # What a reduced scale leaves out may be what is broken.
        readable = self.exact is not None or self.is_huge
        hashed = self.exact if method == "exact" else self.scaled
        whole = {hashed} if hashed is not None and readable else set()
        return whole | self.thumbnails if method == "thumbnail" else whole


def get_ready() -> None:
    """Have this process say nothing of broken images, and open those of any size.

    libtiff writes of what is broken past Python.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None


def judge(file: Path) -> Judged:
    """Return all that may be said of an image file."""
    content = file.read_bytes()
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            pixels = image.width * image.height
            # Of a progressive JPEG a decoder keeps the whole, whatever the scale.
            is_reduced = image.format == "JPEG" and "progressive" not in image.info
    except Exception:  # noqa: BLE001  (whatever it is, it is a refusal)
        return Judged(None, None, frozenset(), is_huge=False)
    return Judged(
        right_hash(content, "exact") if pixels <= HUGE else None,
        right_hash(content, "scaled") if pixels <= (2 * HUGE if is_reduced else HUGE) else None,
        frozenset(_of_thumbnails(content)),
        pixels > HUGE,
    )


def right_hash(content: bytes, method: Method) -> int | None:
    """Return the hash by Pillow and imagehash alone; None when Pillow cannot read the whole."""
    try:
        with (
            warnings.catch_warnings(action="ignore"),  # of what is broken: that is the point
            Image.open(BytesIO(content), formats=FORMATS) as image,
        ):
            drafted = method == "scaled" and image.draft("L", _SCALED_SIZE) is not None
            # A decoded JPEG in grey is hashed as it is: there is no colour in it to be weighed.
            whole = image if image.mode == "L" else image.convert("RGB")
            if method == "scaled" and not drafted:
                sides = zip(whole.size, _SCALED_SIZE, strict=True)
                whole = whole.reduce(max(1, min(side // least for side, least in sides)))
            return _signed(whole)
    except Exception:  # noqa: BLE001  (whatever it is, it is a refusal)
        return None


def _of_thumbnails(content: bytes) -> set[int]:
    """Return the hash of an EXIF thumbnail, as it is and without bars that fill it up."""
    try:
        with Image.open(BytesIO(content[:_HEAD]), formats=("JPEG",)) as image:
            tags = image.getexif().get_ifd(ExifTags.IFD.IFD1)
            start, length = tags[_START], tags[_LENGTH]
            exif = image.info["exif"].removeprefix(b"Exif\0\0")
            with Image.open(BytesIO(exif[start : start + length]), formats=("JPEG",)) as small:
                if small.width * small.height > HUGE:
                    return set()
                grey = small.convert("L")
        shape = image.width / image.height
        width = min(grey.width, round(grey.height * shape))
        height = min(grey.height, round(grey.width / shape))
        left, top = (grey.width - width) // 2, (grey.height - height) // 2
        return {_signed(grey), _signed(grey.crop((left, top, left + width, top + height)))}
    except Exception:  # noqa: BLE001  (whatever it is, there is none to be trusted)
        return set()


def _signed(image: Image.Image) -> int:
    bits = imagehash.dhash(image, hash_size=8).hash.flatten()
    number = int("".join("01"[int(bit)] for bit in bits), 2)
    return number - (1 << 64) if number >> 63 else number
