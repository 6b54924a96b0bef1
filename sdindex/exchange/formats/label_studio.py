"""A sample as tasks for Label Studio, with what is known of the images as predictions."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import IO, Any
from urllib.parse import quote

from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Naming, SaidOf, Sampled, local_time
from sdindex.exchange.tables import write_json

# How Label Studio's addresses of local files begin.
LOCAL_FILES = "/data/local-files/?d="
BOXES, WHOLE = "label", "species"  # names of the controls in the labelling interface
_IMAGE = "image"  # the name of the Image control, and of its value in the data


def write(images: Collection[Sampled], output: IO[bytes], wishes: Wishes) -> None:
    """Write a task for each image; the labels of each source are a prediction."""
    naming = Naming.of(images)
    prefix = LOCAL_FILES if wishes.url_prefix is None else wishes.url_prefix
    write_json((_task(image, naming, prefix) for image in images), output)


def _task(image: Sampled, naming: Naming, prefix: str) -> dict[str, Any]:
    data = {
        _IMAGE: prefix + quote(os.fsencode(naming.path(image))),
        "camera": quote(os.fsencode(naming.camera(image)), safe="/ "),
    }
    if image.taken_at is not None:
        data["taken_at"] = local_time(image.taken_at)
    task: dict[str, Any] = {"data": data}
    predictions = list(_predictions(image))
    return task | {"predictions": predictions} if predictions else task


def _predictions(image: Sampled) -> Iterator[dict[str, Any]]:
    by_source: dict[str, list[SaidOf]] = defaultdict(list)
    for said in image.said:
        by_source[said.source].append(said)
    for source, of_source in by_source.items():
        sure = [said.confidence for said in of_source if said.confidence is not None]
        prediction = {"model_version": source, "result": _results(of_source, image)}
        yield prediction | {"score": max(sure)} if sure else prediction


def _results(said: Sequence[SaidOf], image: Sampled) -> list[dict[str, Any]]:
    found = []
    for number, each in enumerate(said):
        result = {"id": f"r{number}", "to_name": _IMAGE, **_region(each, image)}
        found.append(result if each.confidence is None else result | {"score": each.confidence})
    return found


def _region(said: SaidOf, image: Sampled) -> dict[str, Any]:
    """Return a box in percent of the image, or a choice for the whole of it."""
    if said.box is None:
        return {"type": "choices", "from_name": WHOLE, "value": {"choices": [said.label]}}
    box = said.box
    sides = {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
    return {
        "type": "rectanglelabels",
        "from_name": BOXES,
        "original_width": image.width,
        "original_height": image.height,
        "image_rotation": 0,
        "value": {
            **{name: 100 * side for name, side in sides.items()},
            "rotation": 0,
            "rectanglelabels": [said.label],
        },
    }
