"""Images that EXIF turns or mirrors as they are shown."""

from io import BytesIO
from pathlib import Path
from struct import pack

from PIL import ExifTags, Image

from sdindex.store.sampled import Box

_SIZE = (320, 240)  # as it lies in the file


def turned_image(path: Path, orientation: int) -> Path:
    """Write an image whose EXIF says how it is shown; that of a JPEG has a thumbnail, too.

    In the file a bright patch lies at the top left: a quarter of the width, a sixth of the height.
    """
    image = Image.new("RGB", _SIZE, "#123")
    image.paste("white", (0, 0, 80, 40))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    if path.suffix == ".jpg":
        image.save(path, exif=_with_thumbnail(image, orientation), quality=95)
    else:
        image.save(path, exif=exif)
    return path


def patch_shown(orientation: int) -> Box:
    """Return where the bright patch is in the picture as it is shown."""
    wide, high = (1 / 6, 1 / 4) if orientation > 4 else (1 / 4, 1 / 6)
    is_right, is_low = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    return Box("patch", 1 - wide if is_right else 0, 1 - high if is_low else 0, wide, high)


def _with_thumbnail(image: Image.Image, orientation: int) -> bytes:
    small = BytesIO()
    image.resize((160, 120)).save(small, "JPEG")
    start = 26 + 2 + 2 * 12 + 4
    first = pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 26)
    tags = pack("<HHHII", 2, 0x0201, 4, 1, start) + pack("<HHII", 0x0202, 4, 1, small.tell())
    return b"Exif\0\0II*\0\x08\0\0\0" + first + tags + bytes(4) + small.getvalue()
