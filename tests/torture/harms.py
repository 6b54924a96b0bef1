"""Images of each kind, and what can happen to their bytes."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ORIGINALS = Path(__file__).resolve().parents[3] / "shared" / "data" / "archive"
SMALL, LARGE = 100_000, 5  # bytes of real images that are small, and how many others are taken
IN_ALL = 5  # one JPEG in so many is a real image, where there are some

KINDS: dict[str, list[dict[str, Any]]] = {
    "JPEG": [
        {"quality": 90},
        {"progressive": True, "quality": 70},
        {"mode": "L"},
        {"mode": "CMYK"},
        {"restart_marker_rows": 1},
        {"exif": True},
        {"thumbnail": True},
    ],
    "PNG": [{}, {"mode": "P"}, {"mode": "LA"}, {"mode": "I;16"}],
    "TIFF": [{"compression": "tiff_lzw"}, {"compression": "jpeg"}, {}],
    "WEBP": [{"lossless": True}, {"quality": 60}],
    "BMP": [{}, {"mode": "P"}],
}

Sources = dict[str, list[bytes]]


def originals() -> Sources:
    """Return made images of each kind, and real ones where they are, by format."""
    found = {name: [made(name, options) for options in KINDS[name]] for name in KINDS}
    files = sorted(ORIGINALS.rglob("*.[jJ][pP]*[gG]"), key=lambda file: file.stat().st_size)
    small = [file for file in files if 0 < file.stat().st_size <= SMALL]
    real = [file.read_bytes() for file in small + files[-LARGE:]]
    return found | {"real": real or found["JPEG"]}


def made(kind: str, options: dict[str, Any]) -> bytes:
    """Return an image with something to see in it."""
    options = dict(options)
    chance = np.random.default_rng(len(kind) + len(options))
    rough = Image.fromarray(chance.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    image: Image.Image = rough.resize((400, 300), Image.Resampling.BICUBIC)
    mode = options.pop("mode", "RGB")
    image = image.convert("L").convert(mode) if mode == "I;16" else image.convert(mode)
    if options.pop("exif", False):
        exif = Image.Exif()
        exif[0x0110] = "a camera"
        exif.get_ifd(0x8769)[0x9003] = "2026:04:01 03:49:17"
        options["exif"] = exif
    if options.pop("thumbnail", False):
        options["exif"] = exif_with_thumbnail(image)
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif_with_thumbnail(image: Image.Image) -> bytes:
    """Return EXIF that holds nothing but a thumbnail, as cameras write it: after the first list."""
    small = BytesIO()
    image.resize((160, 120)).convert("L").save(small, "JPEG")
    empty = struct.pack("<HI", 0, 14)  # a list of no tags, and where the next one is
    start = 14 + 2 + 2 * 12 + 4
    tags = struct.pack("<H", 2)
    tags += struct.pack("<HHII", 0x0201, 4, 1, start)
    tags += struct.pack("<HHII", 0x0202, 4, 1, small.tell())
    return b"Exif\0\0II*\0\x08\0\0\0" + empty + tags + bytes(4) + small.getvalue()


def fuzzed_image(chance: random.Random, sources: Sources) -> bytes:
    """Return an image of any format to which something has happened."""
    name = chance.choice(list(KINDS))
    real = name == "JPEG" and not chance.randrange(IN_ALL)
    content = bytearray(chance.choice(sources["real" if real else name]))
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        harm = chance.choice(HARMS)
        content = harm(content, chance, sources)
    return bytes(content)


def _cut(content: bytearray, chance: random.Random, _: Sources) -> bytearray:
    return content[: chance.randrange(len(content) + 1)]


def _cut_the_end(content: bytearray, chance: random.Random, _: Sources) -> bytearray:
    return content[: max(0, len(content) - chance.randrange(1, 400))]


def _flip(content: bytearray, chance: random.Random, _: Sources) -> bytearray:
    for _number in range(chance.choice((1, 2, 10, 100)) if content else 0):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return content


def _flip_the_head(content: bytearray, chance: random.Random, _: Sources) -> bytearray:
    for _number in range(chance.choice((1, 2, 5)) if content else 0):
        content[chance.randrange(min(700, len(content)))] = chance.randrange(256)
    return content


def _splice(content: bytearray, chance: random.Random, sources: Sources) -> bytearray:
    other = chance.choice(sources[chance.choice(list(sources))])
    cut = chance.randrange(len(content) + 1)
    return content[:cut] + other[chance.choice((cut, chance.randrange(len(other)))) :]


def _blank(content: bytearray, chance: random.Random, _: Sources) -> bytearray:
    start = chance.randrange(len(content) + 1)
    end = min(len(content), start + chance.choice((16, 512, 4096)))
    content[start:end] = bytes(end - start)
    return content


def _repeat(content: bytearray, chance: random.Random, _: Sources) -> bytearray:
    start = chance.randrange(len(content) + 1)
    return content[:start] + content[max(0, start - chance.randrange(2000)) :]


def _promise(content: bytearray, chance: random.Random, _: Sources) -> bytearray:
    """Have the header speak of another size: of 65,500 x 65,500, 170 megapixels, and others."""
    width, height = chance.choice(
        ((65_500, 65_500), (13_000, 13_077), (9_400, 9_400), (1, 1), (65_535, 1), (0, 0))
    )
    if content[:2] == b"\xff\xd8":
        frame = max(content.find(marker) for marker in (b"\xff\xc0", b"\xff\xc2"))
        if frame > 0:
            content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    elif content[:4] == b"\x89PNG":
        content[16:24] = struct.pack(">II", width, height)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    elif content[:2] == b"BM":
        content[18:26] = struct.pack("<II", width, height)
    return content


def _other_exif(content: bytearray, chance: random.Random, _: Sources) -> bytearray:
    """Put EXIF in front that points anywhere."""
    tags = b"".join(
        struct.pack("<HHII", chance.choice((0x8769, 0x0112, 0x0201, 0x0202, 0x9003)),
                    chance.randrange(14), chance.choice((1, 2**31)), chance.randrange(2**32))
        for _number in range(6)
    )  # fmt: skip
    exif = b"Exif\0\0II*\0\x08\0\0\0\x06\0" + tags + struct.pack("<I", chance.randrange(200))
    if content[:2] == b"\xff\xd8":
        content[2:2] = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    return content


Harm = Callable[[bytearray, random.Random, Sources], bytearray]
HARMS: tuple[Harm, ...] = (
    _cut, _cut_the_end, _flip, _flip, _flip_the_head, _splice, _blank, _repeat, _promise,
    _other_exif,
)  # fmt: skip
