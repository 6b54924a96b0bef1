"""COCO, and COCO Camera Traps: annotations of images, in pixels."""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import IO, Any

from sdindex.exchange.detections import Label, Remarks, confidence, text
from sdindex.exchange.inputs import Input
from sdindex.exchange.json_stream import pieces
from sdindex.exchange.readers.faults import FaultyError, path_of

_Image = tuple[str, float, float]  # a path, a width and a height


def remarks(file: Input) -> Iterator[Remarks]:
    """Yield the labels of each image; annotations with a score are a machine's."""
    with file.opened() as content:
        names, images = _head(content)
    if not images:
        raise FaultyError('expected "images", "categories" and "annotations" of COCO')
    seen: set[object] = set()
    with file.opened() as content:
        annotations = (found for _, found in pieces(content, ("annotations",)))
        number = 0
        for image_id, of_image in groupby(annotations, lambda each: _of(each, "image_id")):
            if image_id not in images:
                raise FaultyError(f"annotation {number + 1:,} is of an image that is not listed")
            seen.add(image_id)
            labels = []
            for annotation in of_image:
                number += 1
                labels.append(_label(annotation, images[image_id], names, number))
            yield Remarks(images[image_id][0], labels)
    for image_id, (path, _, _) in images.items():
        if image_id not in seen:
            yield Remarks(path, [])


def _head(content: IO[bytes]) -> tuple[dict[Any, str], dict[Any, _Image]]:
    names: dict[Any, str] = {}
    images: dict[Any, _Image] = {}
    for kind, found in pieces(content, ("categories", "images")):
        try:
            if kind == "categories":
                names[found["id"]] = text(str(found["name"]))
            else:
                size = float(found.get("width") or 0), float(found.get("height") or 0)
                images[found["id"]] = (path_of(found["file_name"]), *size)
        except (AttributeError, LookupError, TypeError, ValueError) as problem:
            raise FaultyError(
                f"one of its {kind} lacks what COCO has: {_shown(found)}"
            ) from problem
    return names, images


def _label(annotation: Any, image: _Image, names: dict[Any, str], number: int) -> Label:
    try:
        score = annotation.get("score")
        return Label(
            image[0],
            names[annotation["category_id"]],
            None if score is None else confidence(score),
            bbox=_box(annotation.get("bbox"), image),
            human=score is None,
        )
    except (AttributeError, LookupError, TypeError, ValueError) as problem:
        raise FaultyError(
            f"annotation {number:,} is not as COCO has it: {_shown(annotation)}"
        ) from problem


def _box(bbox: Any, image: _Image) -> str | None:
    _, width, height = image
    if not bbox:
        return None
    if not width or not height:
        raise ValueError("an image with boxes has no width and height")
    x, y, across, down = map(float, bbox)
    return json.dumps([x / width, y / height, across / width, down / height], allow_nan=False)


def _of(annotation: Any, name: str) -> Any:
    found = annotation.get(name) if isinstance(annotation, dict) else None
    return found if isinstance(found, str | int) else None


def _shown(found: Any) -> str:
    return json.dumps(found)[:100]
