"""Showing a sample: a summary, a chart, and pictures of each bucket."""

import os
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageOps

from sdindex.archive.names import to_text
from sdindex.archive.roots import root_of
from sdindex.errors import SdindexError
from sdindex.exchange.output import refuse_link, replacing
from sdindex.hashing.image import FORMATS

_SIDE, _ACROSS = 100, 5  # pixels of a picture, and pictures in a row of a bucket's grid
_MARGIN, _LINE = 10, 20  # pixels between grids, and of the line above each
_BUCKETS = 25  # buckets whose pictures are shown


def deliver(
    data: dict[str, Any], *, is_summary: bool, distribution: str | None, thumbnails: str | None
) -> None:
    """Print and write what is asked for, from the data of `sdindex.sample_diverse_with_stats`.

    Raises
    ------
    OutputError
        When a file cannot be written.
    """
    stats = data["bucket_stats"]
    if is_summary:
        print("\n".join(_summary(stats)))
    if distribution is not None:
        from sdindex.pages import pictures  # matplotlib, for this alone

        kept, left = ([bucket[name] for bucket in stats] for name in ("kept", "excluded"))
        figure = pictures.bucket_bars(kept, left, "Bucket Distribution: Kept vs Excluded", (12, 6))
        write(distribution, pictures.content(figure, ".png"))
    if thumbnails is not None:
        _write_grids(data, thumbnails)


def write(path: str, content: bytes) -> None:
    """Write a file, in a folder that is made where it is not there.

    Raises
    ------
    OutputError
        When the path is a link.
    """
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    refuse_link(path, "name the file itself, or remove the link")
    with replacing(path) as file:
        file.write(content)


def _summary(stats: Sequence[dict[str, Any]]) -> list[str]:
    images, kept = (sum(bucket[name] for bucket in stats) for name in ("original_size", "kept"))
    part = f" ({100 * kept / images:.1f}%)" if images else ""
    lines = [
        f"Total images: {images:,}",
        f"Selected: {kept:,}{part}",
        f"Buckets: {len(stats):,}",
        f"{'Bucket':<8} {'Size':>8} {'Kept':>8} {'Rate':>6}",
    ]
    for rank, bucket in enumerate(stats, 1):
        size, taken = bucket["original_size"], bucket["kept"]
        lines.append(f"#{rank:<7} {size:>8,} {taken:>8,} {taken / size:>6.0%}")
    return lines


def _write_grids(data: dict[str, Any], path: str) -> None:
    """Write the first pictures of each bucket, the largest bucket first."""
    buckets: dict[int, list[str]] = defaultdict(list)
    for file, bucket in zip(data["all_paths"], data["bucket_assignments"], strict=True):
        if bucket < _BUCKETS and len(buckets[bucket]) < _ACROSS**2:
            buckets[bucket].append(file)
    shown = sorted(buckets)
    columns = max(1, round(len(shown) ** 0.5))
    rows = -(-len(shown) // columns)
    width, height = _SIDE * _ACROSS + _MARGIN, _SIDE * _ACROSS + _MARGIN + _LINE
    page = Image.new("RGB", (max(columns * width, 1), max(rows * height, 1)), "white")
    drawing = ImageDraw.Draw(page)
    for at, bucket in enumerate(shown):
        left, top = at % columns * width, at // columns * height
        size = data["bucket_stats"][bucket]
        heading = f"Bucket {bucket + 1}: {size['kept']:,} of {size['original_size']:,} kept"
        drawing.text((left + 2, top + 2), heading, fill="black")
        for number, file in enumerate(buckets[bucket]):
            x, y = number % _ACROSS * _SIDE, number // _ACROSS * _SIDE
            page.paste(_small(file), (left + x, top + _LINE + y))
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    refuse_link(path, "name the file itself, or remove the link")
    with replacing(path) as output:
        page.save(output, "PNG")


def _small(path: str) -> Image.Image:
    """Return a square picture of an image; a grey one where it cannot be read any more."""
    folder, name = os.path.split(os.path.abspath(path))
    try:
        with (
            root_of(folder).open(to_text(name)) as file,
            Image.open(file, formats=FORMATS) as image,
        ):
            image.draft("RGB", (2 * _SIDE, 2 * _SIDE))
            upright = ImageOps.exif_transpose(image).convert("RGB")
            return ImageOps.fit(upright, (_SIDE, _SIDE))
    except (OSError, SdindexError, ValueError):
        return Image.new("RGB", (_SIDE, _SIDE), "lightgrey")
