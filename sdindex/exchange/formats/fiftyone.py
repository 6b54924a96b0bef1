"""A sample as a ``FiftyOneImageDetectionDataset``: locations of images, and detections.

It is imported with ``data_path="data.json"``: the images may stay where they are.
"""

from collections.abc import Collection, Iterator
from typing import Any

from sdindex.exchange.folders import Folder
from sdindex.exchange.formats.members import write_members
from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.naming import Naming, SaidOf, Sampled

_WHOLE = (0, 0, 1, 1)  # the box of a label that has none: the format wants one


def write(images: Collection[Sampled], folder: Folder, wishes: Wishes) -> None:
    """Write ``data.json``, the location of each image, and ``labels.json``, its detections.

    Images are named by numbers, as FiftyOne drops what follows the last dot of a name.
    """
    naming = Naming.of(images)
    with folder.file("data.json") as file:
        path_of = naming.path if folder.has_images else _location
        write_members(((str(at), path_of(image)) for at, image in enumerate(images)), file)
    with folder.file("labels.json") as file:
        file.write(b'{"labels": ')
        write_members(_labelled(images, naming), file)
        file.write(b"}\n")


def _location(image: Sampled) -> str:
    return image.path


def _labelled(images: Collection[Sampled], naming: Naming) -> Iterator[tuple[str, Any]]:
    for at, image in enumerate(images):  # an image that is not listed is not imported
        yield str(at), [_detection(said, image, naming) for said in image.said] or None


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
