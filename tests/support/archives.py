"""Write a camera-trap archive that is worth testing on: the same seed gives the same bytes.

Each camera has its own scene, light and folder names. Pictures come in bursts of nearly equal
images, by day in colour and by night in infrared, with the grey info strip, EXIF times and an
EXIF thumbnail; some hold an animal, some files are broken. `labels.csv` says what is where.
"""

import argparse
import csv
import os
import struct
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from heapq import merge
from io import BytesIO
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FIRST_DAY = datetime(2026, 4, 1)  # noqa: DTZ001  (a camera's clock knows no time zone)
# Each animal's length, as a share of the picture's width, and its fur.
ANIMALS = {
    "deer": (0.3, (134, 96, 60)),
    "boar": (0.22, (70, 58, 50)),
    "fox": (0.13, (176, 98, 48)),
    "bird": (0.06, (60, 64, 74)),
    "hare": (0.09, (140, 122, 96)),
}
NIGHT_FUR = (215, 215, 215)
EMPTY = "empty"
# Make, model, and the folder and file names of the card, as the makers' cameras write them.
MAKES = (
    ("RECONYX", "HP2X", "{folder:03d}RECNX", "IMG_{file:04d}.JPG"),
    ("BROWNING", "BTC-8A", "{folder:03d}_BTCF", "IMG_{file:04d}.JPG"),
    ("BUSHNELL", "119876", "{folder:03d}EK113", "MFDC{file:04d}.JPG"),
    ("CUDDEBACK", "1279", "{folder:03d}MEDIA", "DSCF{file:04d}.JPG"),
)
LAST_FILE = 9999
NIGHT_UNTIL, NIGHT_FROM = 6.0, 20.0


@dataclass(frozen=True)
class Options:
    out: Path
    days: int
    seed: int
    bursts: int
    burst_size: int
    width: int
    height: int
    quality: int
    broken: float
    empty: float
    timer: int
    trigger: bool


@dataclass(frozen=True)
class Shot:
    """A picture to be made: when, of what, and how far the animal has come, 0 to 1."""

    taken: datetime
    label: str
    progress: float
    sequence: str


def main() -> None:
    options, cameras, workers = parse(sys.argv[1:])
    options.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers) as pool:
        made = list(pool.map(partial(make_camera, options), range(cameras)))
    rows = [row for camera in made for row in camera]
    with (options.out / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "label", "sequence", "taken"])
        writer.writerows(rows)
    print(f"{len(rows):,} images of {cameras} cameras in {options.out}")


def parse(arguments: list[str]) -> tuple[Options, int, int]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write to")
    parser.add_argument("--cameras", type=int, default=4, help="how many cameras")
    parser.add_argument("--days", type=int, default=3, help="days in the field")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same bytes")
    parser.add_argument("--bursts", type=int, default=8, help="bursts a camera and day")
    parser.add_argument("--burst-size", type=int, default=3, help="images a burst")
    parser.add_argument("--width", type=int, default=640, help="pixels")
    parser.add_argument("--height", type=int, default=480, help="pixels")
    parser.add_argument("--quality", type=int, default=80, help="of the JPEGs")
    parser.add_argument("--broken", type=float, default=0.01, help="share of broken files")
    parser.add_argument("--empty", type=float, default=0.4, help="share of bursts of the wind")
    parser.add_argument("--timer", type=int, nargs="?", const=60, default=0, metavar="MINUTES",
                        help="a picture every so many minutes, too")  # fmt: skip
    parser.add_argument("--trigger", action="store_true", help="animals leave during a burst")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    given = vars(parser.parse_args(arguments))
    cameras, workers = given.pop("cameras"), given.pop("workers")
    return Options(**given), cameras, workers


def make_camera(options: Options, camera: int) -> list[tuple[str, str, str, str]]:
    """Write one camera's pictures; return the rows of `labels.csv`."""
    random = np.random.default_rng([options.seed, camera])
    make, model, folder_name, file_name = MAKES[camera % len(MAKES)]
    name = f"site{camera // 2 + 1:02d}/camera{camera + 1:02d}"
    scene = make_scene(random, options.width, options.height)
    # Some cards are nearly full, so that the counter rolls over into a new folder.
    counter = int(random.integers(1, LAST_FILE - 20)) if camera % 3 else LAST_FILE - 10
    folder = 100
    rows = []
    for shot in shots(random, options, camera):
        path = f"{name}/DCIM/{folder_name.format(folder=folder)}/{file_name.format(file=counter)}"
        picture = draw(random, scene, shot, f"{make} {model}  CAM{camera + 1:02d}")
        content = encode(picture, shot.taken, make, model, options.quality)
        label = shot.label
        if random.random() < options.broken:
            content, label = damage(random, content), "broken"
        write(options.out / path, content, shot.taken)
        rows.append((path, label, shot.sequence, f"{shot.taken:%Y-%m-%d %H:%M:%S}"))
        counter += 1
        if counter > LAST_FILE:
            counter, folder = 1, folder + 1
    return rows


def shots(random: np.random.Generator, options: Options, camera: int) -> Iterator[Shot]:
    """Yield the shots in the order of time."""
    found = visits(random, options, camera)
    if options.timer:
        found = merge(found, timed(options, camera), key=attrgetter("taken"))
    yield from found


def visits(random: np.random.Generator, options: Options, camera: int) -> Iterator[Shot]:
    """Yield the bursts that something triggered: an animal, or the wind."""
    for day in range(options.days):
        seconds = np.sort(random.integers(0, 86_400, options.bursts))
        for burst, second in enumerate(seconds):
            label = EMPTY if random.random() < options.empty else str(random.choice(list(ANIMALS)))
            shown = int(random.integers(1, 3)) if options.trigger else options.burst_size
            for number in range(options.burst_size):
                yield Shot(
                    FIRST_DAY + timedelta(days=day, seconds=int(second) + number),
                    label if number < shown else EMPTY,
                    (number + 0.5) / options.burst_size,
                    f"c{camera + 1:02d}d{day + 1:02d}b{burst + 1:03d}",
                )


def timed(options: Options, camera: int) -> Iterator[Shot]:
    """Yield what the camera takes at even intervals: the scene alone."""
    steps = options.days * 24 * 60 // options.timer if options.timer else 0
    for step in range(steps):
        taken = FIRST_DAY + timedelta(minutes=step * options.timer)
        yield Shot(taken, EMPTY, 0, f"c{camera + 1:02d}t{step + 1:05d}")


def make_scene(random: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """Return a camera's view at noon: sky, ground, texture and trees, height x width x 3."""
    ground = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    horizon = random.uniform(0.2, 0.5)
    sky = blend(random, (150, 165, 170), (195, 210, 230))
    soil = blend(random, (70, 90, 45), (150, 125, 90))
    scene = np.where(ground < horizon, sky * (1 - 0.3 * ground), soil * (0.6 + 0.5 * ground))
    scene = np.broadcast_to(scene, (height, width, 3)).copy()
    for cells, strength in ((6, 35), (24, 25), (80, 15)):
        rough = random.integers(0, 256, (cells, cells), dtype=np.uint8)
        texture = Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC)
        scene += (np.asarray(texture, dtype=np.float32)[..., None] / 255 - 0.5) * 2 * strength
    picture = Image.fromarray(scene.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(int(random.integers(2, 9))):
        left, thick = random.uniform(0, width), random.uniform(0.01, 0.07) * width
        foot = height * random.uniform(horizon, 0.95)
        shade = int(random.integers(25, 70))
        pen.rectangle((left, 0, left + thick, foot), fill=(shade + 15, shade + 5, shade))
    blurred = picture.filter(ImageFilter.GaussianBlur(width / 400))
    return np.asarray(blurred, dtype=np.float32)


def blend(
    random: np.random.Generator, one: tuple[int, int, int], other: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Return a colour somewhere between two."""
    share = np.float32(random.uniform())
    return np.array(one, np.float32) * share + np.array(other, np.float32) * (1 - share)


def draw(
    random: np.random.Generator, scene: NDArray[np.float32], shot: Shot, strip: str
) -> Image.Image:
    height, width, _ = scene.shape
    hour = shot.taken.hour + shot.taken.minute / 60
    night = hour < NIGHT_UNTIL or hour > NIGHT_FROM
    canvas: NDArray[Any] = scene
    if shot.label != EMPTY:
        canvas = add_animal(canvas, shot, night=night)
    if night:
        red, green, blue = (canvas[..., channel] for channel in range(3))
        grey = (red + green + blue) / np.float32(3)  # three times faster than their mean
        canvas = (grey * flash(width, height) * 0.7)[..., None]
    else:
        sun = np.sin((hour - NIGHT_UNTIL) / (NIGHT_FROM - NIGHT_UNTIL) * np.pi)
        slope = np.linspace(-0.25, 0.25, width)[None, :, None] * (hour - 13) / 7
        canvas = canvas * (0.55 + 0.5 * sun + slope)
    canvas = canvas + random.normal(0, 6 if night else 2.5, (height, width, 1))
    seen = np.clip(canvas, 0, 255, out=canvas).astype(np.uint8)
    picture = Image.fromarray(np.broadcast_to(seen, (height, width, 3)))
    temperature = round(8 + 9 * np.sin((hour - 9) / 24 * 2 * np.pi))
    add_strip(picture, f"{strip}  {shot.taken:%Y-%m-%d  %H:%M:%S}  {temperature} C")
    return picture


@cache
def flash(width: int, height: int) -> NDArray[np.float64]:
    """Return how much infrared light falls on each pixel."""
    across, down = np.linspace(-0.6, 0.6, width), np.linspace(-0.6, 0.6, height)
    return 1.1 - 1.3 * np.hypot(*np.meshgrid(across, down))


def add_animal(canvas: NDArray[np.float32], shot: Shot, *, night: bool) -> NDArray[np.float32]:
    """Add a body, a head and legs, walking from one side to the other."""
    height, width, _ = canvas.shape
    size, fur = ANIMALS[shot.label]
    where = np.random.default_rng([ord(letter) for letter in shot.sequence])
    middle, foot = where.uniform(0.25, 0.75), where.uniform(0.65, 0.9) * height
    step = where.choice([-1, 1]) * (shot.progress - 0.5) * 0.25
    x, body = (middle + step) * width, size * width
    coat = NIGHT_FUR if night else fur
    picture = Image.fromarray(canvas.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    top = foot - body * 0.75
    pen.ellipse((x - body / 2, top, x + body / 2, top + body * 0.45), fill=coat)
    pen.ellipse((x + body * 0.35, top - body * 0.2, x + body * 0.65, top + body * 0.12), fill=coat)
    for leg in (-0.35, -0.2, 0.2, 0.35):
        pen.rectangle((x + leg * body, top + body * 0.3, x + (leg + 0.06) * body, foot), fill=coat)
    return np.asarray(picture, dtype=np.float32)


def add_strip(picture: Image.Image, text: str) -> None:
    width, height = picture.size
    tall = max(height // 16, 12)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, height - tall, width, height), fill=(90, 90, 90))
    font = ImageFont.load_default(tall * 0.6)
    pen.text((tall / 2, height - tall * 0.9), text, fill=(255, 255, 255), font=font)


def encode(picture: Image.Image, taken: datetime, make: str, model: str, quality: int) -> bytes:
    """Return a JPEG with EXIF and a thumbnail of 160 x 120, letterboxed as cameras do."""
    small = Image.new("RGB", (160, 120))
    fitted = picture.copy()
    fitted.thumbnail(small.size)
    small.paste(fitted, ((160 - fitted.width) // 2, (120 - fitted.height) // 2))
    thumbnail = BytesIO()
    small.save(thumbnail, "JPEG", quality=75)
    content = BytesIO()
    picture.save(
        content, "JPEG", quality=quality, exif=exif(taken, make, model, thumbnail.getvalue())
    )
    return content.getvalue()


def exif(taken: datetime, make: str, model: str, thumbnail: bytes) -> bytes:
    """Return EXIF with a thumbnail, which Pillow reads but does not write."""
    stamp = f"{taken:%Y:%m:%d %H:%M:%S}".encode() + b"\0"
    at_ifd0 = 8
    ifd0, data0 = directory(
        [
            (0x010F, 2, make.encode() + b"\0"),
            (0x0110, 2, model.encode() + b"\0"),
            (0x0132, 2, stamp),
            (0x8769, 4, None),
        ],
        at_ifd0,
    )
    at_exif = at_ifd0 + len(ifd0) + len(data0)
    ifd0 = ifd0[:-8] + struct.pack("<L", at_exif) + ifd0[-4:]
    exif_ifd, exif_data = directory([(0x9003, 2, stamp)], at_exif)
    at_ifd1 = at_exif + len(exif_ifd) + len(exif_data)
    ifd0 = ifd0[:-4] + struct.pack("<L", at_ifd1)
    at_thumbnail = at_ifd1 + 2 + 3 * 12 + 4
    ifd1, _ = directory(
        [
            (0x0103, 3, struct.pack("<HH", 6, 0)),
            (0x0201, 4, struct.pack("<L", at_thumbnail)),
            (0x0202, 4, struct.pack("<L", len(thumbnail))),
        ],
        at_ifd1,
    )
    return b"Exif\0\0II*\0\x08\0\0\0" + ifd0 + data0 + exif_ifd + exif_data + ifd1 + thumbnail


def directory(entries: list[tuple[int, int, bytes | None]], start: int) -> tuple[bytes, bytes]:
    """Return a TIFF directory that begins at `start`, and the values that do not fit in it."""
    sizes = {2: 1, 3: 2, 4: 4}
    table, data = struct.pack("<H", len(entries)), b""
    at_data = start + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        value = value or b"\0\0\0\0"
        count = 1 if kind != 2 else len(value)
        if count * sizes[kind] > 4:
            table += struct.pack("<HHLL", tag, kind, count, at_data + len(data))
            data += value
        else:
            table += struct.pack("<HHL4s", tag, kind, count, value)
    return table + struct.pack("<L", 0), data


def damage(random: np.random.Generator, content: bytes) -> bytes:
    """Return what a failing card leaves of a picture."""
    match int(random.integers(3)):
        case 0:
            return b""
        case 1:
            return content[: len(content) // 2]
        case _:
            return bytes(len(content) // 4)


def write(path: Path, content: bytes, taken: datetime) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    seconds = taken.replace(tzinfo=UTC).timestamp()
    os.utime(path, (seconds, seconds))
