"""A sample as an ``imagefolder`` of Hugging Face's datasets: the images, and their metadata."""

import json
import posixpath
from collections.abc import Collection, Iterator
from typing import Any

from sdindex.archive.names import printable
from sdindex.errors import OutputError
from sdindex.exchange.folders import Folder
from sdindex.exchange.formats.registry import Wishes
from sdindex.exchange.formats.splits import part_of, parts, paths_by_stem
from sdindex.exchange.naming import Sampled


def targets(images: Collection[Sampled]) -> list[str]:
    """Return the path of each image below the folder."""
    found = paths_by_stem(images)
    for path in found:
        try:
            path.encode("utf-8")
        except UnicodeEncodeError as problem:
            raise OutputError(
                f"{printable(path)} has a name that is no Unicode, which datasets cannot read; "
                "rename it"
            ) from problem
    return found


def write(images: Collection[Sampled], folder: Folder, wishes: Wishes) -> None:
    """Write ``metadata.jsonl`` for each part: a line for each image, with its boxes in pixels."""
    at = targets(images)
    for part in parts(images):
        with folder.file(f"{part}/metadata.jsonl") as file:
            for image, target in zip(images, at, strict=True):
                if part_of(image) == part:
                    line = json.dumps(dict(_members(image, target)), ensure_ascii=False)
                    file.write(f"{line}\n".encode("utf-8", "backslashreplace"))


def _members(image: Sampled, target: str) -> Iterator[tuple[str, Any]]:
    yield "file_name", posixpath.relpath(target, part_of(image))
    yield "labels", list(image.labels)
    yield (
        "objects",
        {
            "bbox": [
                [
                    box.x * image.width,
                    box.y * image.height,
                    box.width * image.width,
                    box.height * image.height,
                ]
                for box in image.boxes
            ],
            "category": [box.label for box in image.boxes],
        },
    )
    yield "camera", printable(image.camera)
    yield "taken_at", "" if image.taken_at is None else image.taken_at.isoformat()
    yield "original", printable(image.path)
