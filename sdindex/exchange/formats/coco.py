"""A sample as a database of COCO Camera Traps, with the labels as annotations."""

import json
from collections.abc import Collection, Iterator
from itertools import count
from typing import IO, Any

from sdindex.archive.natural import sort_key
from sdindex.exchange.detections import EMPTY
from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Boxed, Naming, Sampled, local_time
from sdindex.exchange.tables import write_json

_DECIMALS = 2  # of a pixel


def write(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    """Write the images, the labels that are among them, and which image has which."""
    naming = Naming.of(images)
    labels = {label for image in images for label in image.labels} - {EMPTY}
    names = [EMPTY, *sorted(labels, key=sort_key)]  # the format reserves 0 for "empty"
    numbers = {name: number for number, name in enumerate(names)}
    info = {"version": "1.0", "description": f"A sample of {len(images)} images, by sdindex"}
    output.write(f'{{\n"info": {json.dumps(info)},\n"images": '.encode("ascii"))
    write_json(_images(images, naming), output)
    output.write(b',\n"categories": ')
    write_json(({"id": number, "name": name} for name, number in numbers.items()), output)
    output.write(b',\n"annotations": ')
    write_json(_annotations(images, naming, numbers), output)
    output.write(b"}\n")


def _annotations(
    images: Collection[Sampled], naming: Naming, numbers: dict[str, int]
) -> Iterator[dict[str, Any]]:
    """Yield a label in each of its boxes, or once where it has none."""
    for image in images:
        path, number = naming.path(image), count()
        for label in image.labels:
            boxes: list[Boxed | None] = [box for box in image.boxes if box.label == label]
            for box in boxes or [None]:
                annotation = {
                    "id": f"{path}#{next(number)}",
                    "image_id": path,
                    "category_id": numbers[label],
                    **_score(image, label, box),
                }
                yield annotation if box is None else annotation | _pixels(box, image)


def _score(image: Sampled, label: str, box: Boxed | None) -> dict[str, float]:
    """Return a machine's confidence as the score, unless a person gave the same label."""
    same = [said for said in image.said if said.label == label and said.box == box]
    sure = [said.confidence for said in same if said.confidence is not None]
    return {"score": max(sure)} if sure and len(sure) == len(same) else {}


def _pixels(box: Boxed, image: Sampled) -> dict[str, Any]:
    width, height = box.width * image.width, box.height * image.height
    corner = box.x * image.width, box.y * image.height
    return {
        "bbox": [round(number, _DECIMALS) for number in (*corner, width, height)],
        "area": round(width * height, _DECIMALS),
        "iscrowd": 0,
    }


def _images(images: Collection[Sampled], naming: Naming) -> Iterator[dict[str, Any]]:
    """Yield the images, each with its burst and its place in it."""
    for image in images:
        record = _image(image, naming)
        if image.burst is not None:
            record["seq_id"] = naming.path_of(image.archive, image.burst)
            record["seq_num_frames"] = image.burst_size
            record["frame_num"] = image.number_in_burst
        yield record


def _image(image: Sampled, naming: Naming) -> dict[str, Any]:
    path = naming.path(image)
    record = {
        "id": path,
        "file_name": path,
        "width": image.width,
        "height": image.height,
        "location": naming.camera(image),
    }
    if image.taken_at is not None:
        record["datetime"] = local_time(image.taken_at)
    return record
