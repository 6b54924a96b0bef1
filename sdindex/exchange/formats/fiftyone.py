"""A sample as a ``FiftyOneImageDetectionDataset``: where the images are, and what is in them.

It is imported with ``data_path="data.json"``: the images may stay where they are.
"""

from collections.abc import Collection, Iterator
from typing import IO, Any

from sdindex.exchange.folders import Folder
from sdindex.exchange.formats.members import write_members
from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Naming, SaidOf, Sampled

_WHOLE = (0, 0, 1, 1)  # the box of a label that has none: the format wants one


def write(images: Collection[Sampled], folder: Folder, wishes: Wishes) -> None:
    """Write ``data.json``, the location of each image, and ``labels.json``, its detections."""
    naming = Naming.of(images)
    with folder.file("data.json") as file:
        paths = naming.path if folder.has_images else (lambda image: image.path)
        write_members(((naming.path(image), paths(image)) for image in images), file)
    with folder.file("labels.json") as file:
        _write_labels(images, naming, file)


def _write_labels(images: Collection[Sampled], naming: Naming, file: IO[bytes]) -> None:
    file.write(b'{"labels": ')
    write_members(_labelled(images, naming), file)
    file.write(b"}\n")


def _labelled(images: Collection[Sampled], naming: Naming) -> Iterator[tuple[str, Any]]:
    for image in images:
        if image.said:
            yield naming.path(image), [_detection(said, image, naming) for said in image.said]


def _detection(said: SaidOf, image: Sampled, naming: Naming) -> dict[str, Any]:
    box = said.box
    corners = _WHOLE if box is None else (box.x, box.y, box.width, box.height)
    detection = {
        "label": said.label,
        "bounding_box": list(corners),
        "attributes": {
            "source": said.source,
            "camera": naming.camera(image),
            "whole_image": box is None,
            **({} if image.split is None else {"split": image.split}),
        },
    }
    return detection if said.confidence is None else detection | {"confidence": said.confidence}
