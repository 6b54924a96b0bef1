"""A sample as a dataset of YOLO, as ultralytics reads it: images, and a file of boxes for each."""

import json
import posixpath
from collections.abc import Collection, Sequence
from typing import IO

from sdindex.archive.natural import sort_key
from sdindex.errors import OutputError
from sdindex.exchange.detections import EMPTY
from sdindex.exchange.folders import Folder
from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.formats.splits import TRAIN, parts, paths_by_stem
from sdindex.exchange.naming import Boxed, Sampled

_IMAGES, _LABELS = "/images/", "/labels/"
_DECIMALS = 6


def targets(images: Collection[Sampled]) -> list[str]:
    """Return the path of each image below the folder."""
    return paths_by_stem(images, "images/")


def write(images: Collection[Sampled], folder: Folder, wishes: Wishes) -> None:
    """Write ``data.yaml``, and the boxes of each image where ultralytics looks for them."""
    found = parts(images)
    if TRAIN not in found:
        raise OutputError(
            f"YOLO wants a part that is called train, and there are only: {', '.join(found)}"
        )
    names = sorted({box.label for image in images for box in image.boxes}, key=sort_key)
    numbers = {name: number for number, name in enumerate(names)}
    unknown = 0
    for image, target in zip(images, targets(images), strict=True):
        if image.boxes or EMPTY in image.labels:
            with folder.file(boxes_path(target)) as file:
                _write_boxes(image.boxes, numbers, file)
        else:
            unknown += 1
    with folder.file("data.yaml") as file:
        file.write(_data(found, names).encode("utf-8"))
    if unknown:
        wishes.say(
            f"warning: {unknown:,} images have no boxes, and are not labelled {EMPTY}: YOLO takes "
            "them for images of nothing"
        )


def boxes_path(image_path: str) -> str:
    """Return the path of an image's boxes, as ultralytics finds it from that of the image."""
    labels = _LABELS.join(f"/{image_path}".rsplit(_IMAGES, 1))
    return f"{posixpath.splitext(labels)[0][1:]}.txt"


def _write_boxes(boxes: Sequence[Boxed], numbers: dict[str, int], file: IO[bytes]) -> None:
    for box in boxes:
        (left, right), (top, bottom) = _span(box.x, box.width), _span(box.y, box.height)
        sides = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
        written = " ".join(f"{side:.{_DECIMALS}f}" for side in sides)
        file.write(f"{numbers[box.label]} {written}\n".encode("ascii"))


def _span(start: float, length: float) -> tuple[float, float]:
    """Return the centre and length of the stretch of a side that lies in the image."""
    return min(max(start, 0.0), 1.0), min(max(start + length, 0.0), 1.0)


def _data(found: Sequence[str], names: Sequence[str]) -> str:
    """Return ``data.yaml``; texts are written as JSON, which is YAML, too."""
    lines = [f"{_key(part)}: {json.dumps(f'images/{part}')}" for part in found]
    if "val" not in found:
        lines.append(f"val: {json.dumps(f'images/{TRAIN}')}  # the sample is not split")
    lines += ["names:", *(f"  {number}: {json.dumps(name)}" for number, name in enumerate(names))]
    return "\n".join(lines if names else [*lines[:-1], "names: {}"]) + "\n"


def _key(part: str) -> str:
    return part if part.isascii() and part.isidentifier() else json.dumps(part)
