"""One image file, opened once: its hash by each method, and what else sampling needs."""

import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from typing import BinaryIO, TypeVar

import imagehash
import numpy as np
from PIL import (
    BmpImagePlugin,  # noqa: F401  (imported by name, so that Pillow does not import all its plugins)
    ExifTags,
    Image,
    ImageStat,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from sdindex.archive.roots import Files
from sdindex.hashing import notes
from sdindex.hashing.bits import signed
from sdindex.hashing.blame import decoded, raise_if_ours, whole_image
from sdindex.hashing.methods import DEFAULT_METHOD, HEAD_BYTES, Method, head_of, method_named
from sdindex.hashing.picture import ImageRead, Picture

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
# 16 times the 9 x 8 grid that is hashed: libjpeg decodes to no less than this.
SCALED_SIZE = (144, 128)
GREY_SIZE = (9, 8)  # the small grey picture that dHash compares
_COLOUR_SIZE = (48, 36)  # of the picture on which colour is measured
SETTLING_NS = 2_000_000_000

_THUMBNAIL_START, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_LARGEST_THUMBNAIL = 1 << 22  # pixels: a header may claim gigabytes, and no camera makes these
_DARK = 24  # of 255: a dark bar that JPEG has blurred is still darker

_DATE_TIME_ORIGINAL = 0x9003
_BY_A_QUARTER = (5, 6, 7, 8)  # orientations

_Read = TypeVar("_Read")


def read_image(root: Files, path: str, method: Method, *, whole: bool = False) -> ImageRead:
    """Read one image file; see `sdindex.hashing.picture.read_image`."""
    read_ns = time.time_ns()
    read_at = datetime.fromtimestamp(read_ns / 1e9, UTC).replace(tzinfo=None)
    with root.open(path, head_of(method, whole=whole)) as file:
        before = root.state_of(file)
        decode = partial(method_named(method).picture, whole=whole)
        picture, error = decoded(file, before.size, decode)
        after = root.state_of(file)
    may_hide = not root.is_far and abs(read_ns - before.mtime_ns) <= SETTLING_NS
    settled = after == before and not may_hide
    return ImageRead(before, settled, read_at, picture, error, notes.taken())


def read_nothing() -> None:
    """Decode a sound image by the default method.

    Raises
    ------
    Exception
        When that fails: no image can be read.
    """
    method_named(DEFAULT_METHOD).picture(BytesIO(whole_image("JPEG")), whole=True)


def exact(file: BinaryIO, *, whole: bool) -> Picture:
    """Hash the image at its full size, as imagehash does."""
    return _picture_of_all(file, reduced=False)


def scaled(file: BinaryIO, *, whole: bool) -> Picture:
    """Hash the image decoded at a reduced scale, which libjpeg does at once."""
    return _picture_of_all(file, reduced=True)


def thumbnail(file: BinaryIO, *, whole: bool) -> Picture:
    """Hash the EXIF thumbnail; where none can be trusted, hash as `scaled` does."""
    from_head = _picture_from_thumbnail(file)
    if from_head is not None and not whole:
        return from_head
    file.seek(0)
    from_whole = scaled(file, whole=True)
    return from_head or from_whole._replace(without_thumbnail=True)


def _picture_of_all(file: BinaryIO, *, reduced: bool) -> Picture:
    with Image.open(file, formats=FORMATS) as image:
        width, height = image.size
        refuse_if_huge(image, drafted=reduced)
        picture = _decoded(image, reduced=reduced)
        colour = None if reduced and _is_in_rgb(image) else colour_of(picture)
        shown = (height, width) if _is_turned(image) else (width, height)
        return Picture(*_grey_of(picture), colour, *shown, _taken_at(image))


def _picture_from_thumbnail(file: BinaryIO) -> Picture | None:
    """Return the picture of the thumbnail in a file's head; None where none can be trusted."""
    head = BytesIO(file.read(HEAD_BYTES))
    try:
        with Image.open(head, formats=("JPEG",)) as image:
            small = exif_thumbnail(image)
            if small is None:
                return None
            seen = *_grey_of(small), colour_of(small)
            shown = image.size[::-1] if _is_turned(image) else image.size
            return Picture(*seen, *shown, _taken_at(image))
    except (OSError, ValueError, TypeError, SyntaxError, KeyError, struct.error) as problem:
        raise_if_ours(problem, partial(_of_whole_image, exif_thumbnail))
        return None  # only decoding the whole file tells what is wrong


def _of_whole_image(function: Callable[[Image.Image], object]) -> None:
    """Call a function with a sound image."""
    with Image.open(BytesIO(whole_image("JPEG")), formats=("JPEG",)) as image:
        function(image)


def exif_thumbnail(image: Image.Image) -> Image.Image | None:
    """Return an image's EXIF thumbnail, in the image's shape; None where it cannot be trusted.

    It is trusted when it decodes, is small, no larger than the image, and of its shape; dark bars
    that fill it up to another shape are cut away. A broken EXIF directory raises Pillow's error.
    """
    exif = image.getexif()
    if not hasattr(exif, "head"):  # there is none, or an empty one
        return None
    of_image = _directory(exif, ImageFileDirectory_v2(exif.head).next)
    if not of_image.next:
        return None
    tags = _directory(exif, of_image.next)
    start, length = tags.get(_THUMBNAIL_START), tags.get(_THUMBNAIL_LENGTH)
    if not isinstance(start, int) or not isinstance(length, int):
        return None
    tiff = image.info["exif"].removeprefix(b"Exif\0\0")
    try:
        opened = Image.open(BytesIO(tiff[start : start + length]), formats=("JPEG",))
    except Image.DecompressionBombError:
        return None  # by its own header it is too large for a thumbnail
    with opened as thumbnail:
        if thumbnail.width > image.width or thumbnail.height > image.height:
            return None
        if thumbnail.width * thumbnail.height > _LARGEST_THUMBNAIL:
            return None
        return _without_bars(thumbnail, image.width / image.height)


def _without_bars(picture: Image.Image, shape: float) -> Image.Image | None:
    """Cut off the bars beyond a shape (width / height); None where these parts are not dark."""
    width, height = picture.size
    inner_width = min(width, round(height * shape))
    inner_height = min(height, round(width / shape))
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    if left <= 1 and top <= 1:  # sides are rounded
        return picture.copy()  # decoded: the file may be closed
    inner = (left, top, left + inner_width, top + inner_height)
    bars = [(0, 0, width, top), (0, inner[3], width, height),
            (0, 0, left, height), (inner[2], 0, width, height)]  # fmt: skip
    grey = picture.convert("L")
    filled = (bar for bar in bars if bar[2] > bar[0] and bar[3] > bar[1])
    if any(ImageStat.Stat(grey.crop(bar)).mean[0] > _DARK for bar in filled):
        return None
    return picture.crop(inner)


def _decoded(image: Image.Image, *, reduced: bool) -> Image.Image:
    """Return the picture to be hashed: all of it, or `reduced`, to no less than SCALED_SIZE.

    Most JPEGs come in YCbCr, whose Y is bit for bit the grey that libjpeg would give.
    """
    if reduced:
        drafted = image.draft("L" if _is_in_rgb(image) else "YCbCr", SCALED_SIZE)
        if drafted is not None and image.mode == "YCbCr":
            return image
        if drafted is None:  # it is not a JPEG
            image = image if image.mode == "L" else _in_colour(image)
            image = image.reduce(_reduction(image))
    return image if image.mode == "L" else _in_colour(image)


def _is_in_rgb(image: Image.Image) -> bool:
    """Say whether it is a JPEG stored in RGB, which libjpeg cannot turn into YCbCr."""
    ids = bytes(layer[0] for layer in getattr(image, "layer", ()))
    return image.info.get("adobe_transform") == 0 or ids == b"RGB"


def _grey_of(picture: Image.Image) -> tuple[int, float, bytes]:
    """Return the hash, the brightness and the small grey picture of a picture."""
    is_drafted = picture.mode == "YCbCr"
    grey = picture.getchannel(0) if is_drafted else picture.convert("L")
    brightness = ImageStat.Stat(grey).mean[0]
    # imagehash makes the same small picture, and takes one of that size as it is
    small = grey.resize(GREY_SIZE, Image.Resampling.LANCZOS)
    return dhash(small), brightness, small.tobytes()


def colour_of(picture: Image.Image) -> float:
    """Return how much the colours of a picture differ: 0 for a grey one, to about 180.

    It is the mean distance of (Cb, Cr) from their mean, so that a tint does not count.
    """
    if picture.mode == "L":
        return 0.0
    some = picture.resize(_COLOUR_SIZE, Image.Resampling.NEAREST)
    in_ycc = some if some.mode == "YCbCr" else _in_colour(some).convert("YCbCr")
    chroma = np.asarray(in_ycc)[..., 1:]
    from_mean = chroma - chroma.mean(axis=(0, 1))
    return round(float(np.hypot(from_mean[..., 0], from_mean[..., 1]).mean()), 3)


def _in_colour(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def _reduction(image: Image.Image) -> int:
    """Return by which factor a picture can be reduced to no less than SCALED_SIZE."""
    width, height = SCALED_SIZE
    return max(1, min(image.width // width, image.height // height))


def dhash(grey: Image.Image) -> int:
    """Return ``imagehash.dhash`` as a signed integer, row 0, column 0 the highest bit."""
    bits = np.packbits(imagehash.dhash(grey, hash_size=8).hash)
    return signed(int.from_bytes(bits.tobytes(), "big"))


def _taken_at(image: Image.Image) -> datetime | None:
    """Return EXIF DateTimeOriginal, naive; None when it is absent, blank or broken."""
    return _from_exif(image, _date_written)


def _is_turned(image: Image.Image) -> bool:
    """Say whether EXIF has the picture shown turned by a quarter, as every program shows it.

    Of a TIFF, Pillow gives the size of the turned picture.
    """
    return image.format != "TIFF" and _from_exif(image, _orientation) in _BY_A_QUARTER


def _from_exif(image: Image.Image, read: Callable[[Image.Image], _Read]) -> _Read | None:
    """Return what a function reads in EXIF; None when that is broken."""
    try:
        return read(image)
    except MemoryError:
        raise
    except Exception as problem:  # noqa: BLE001  (broken EXIF is no reason to lose a picture
        # that decodes)
        raise_if_ours(problem, partial(_of_whole_image, read))
        return None


def _orientation(image: Image.Image) -> object:
    return image.getexif().get(ExifTags.Base.Orientation)


def _date_written(image: Image.Image) -> datetime | None:
    exif = image.getexif()
    if ExifTags.IFD.Exif not in exif:
        return None
    tags = _directory(exif, exif[ExifTags.IFD.Exif], group=ExifTags.IFD.Exif)
    written = tags.get(_DATE_TIME_ORIGINAL)
    if written is None:
        return None
    return datetime.strptime(str(written).strip("\0 "), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007


def _directory(exif: Image.Exif, offset: int, group: int | None = None) -> ImageFileDirectory_v2:
    """Return a directory of EXIF that decodes a tag only when it is asked for.

    `Exif.get_ifd` decodes all tags, which took a third of the time of a thumbnail; the rest of what
    it does is repeated here.
    """
    tags = ImageFileDirectory_v2(exif.head, group=group)
    exif.fp.seek(offset)
    tags.load(exif.fp)
    return tags


def refuse_if_huge(image: Image.Image, *, drafted: bool) -> None:
    """Refuse to decode an image of which Pillow only warns, or which would fill the memory.

    A JPEG that is `drafted` (decoded at a reduced scale) never does, unless it is progressive:
    libjpeg keeps all of it until its end.
    """
    if drafted and image.format in ("JPEG", "MPO") and not image.info.get("progressive"):
        return
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or 0):
        raise Image.DecompressionBombError(f"{image.width} x {image.height} pixels")
