"""A dataset of YOLO: the boxes of each image in its folders, or in its lists."""

import json
import os
import posixpath
from collections.abc import Iterator
from typing import Any

from sdindex.archive.names import from_text, printable
from sdindex.archive.roots import root_of
from sdindex.exchange import manifest
from sdindex.exchange.detections import EMPTY, Label, Remarks, confidence
from sdindex.exchange.formats.yolo import boxes_path
from sdindex.exchange.inputs import Input, lines_of
from sdindex.exchange.readers.faults import FaultyError

_PARTS = ("train", "val", "test")
_WITH_CONFIDENCE = 6  # numbers of a box in a line


def remarks(file: Input) -> Iterator[Remarks]:
    """Yield the boxes of each image; ``empty`` if its file of boxes is empty.

    Paths are those of the originals, if ``sdindex-manifest.csv`` has them.
    """
    data = _data(file)
    names = _names(data.get("names"))
    base = os.path.join(os.path.dirname(file.name), str(data.get("path") or ""))
    original = {row["path"]: row["original"] for row in manifest.read(base).values()}
    for path in dict.fromkeys(_images(data, base)):
        labels = _boxes(os.path.join(base, boxes_path(path)), names)
        if labels is not None:
            at = original.get(path) or _without_folder(path)
            yield Remarks(at, [label._replace(path=at) for label in labels])


def _data(file: Input) -> dict[str, Any]:
    try:
        import yaml  # an extra, for this alone
    except ImportError as problem:
        raise FaultyError("needs PyYAML to be read: pip install 'sdindex[yolo]'") from problem
    with file.opened() as content:
        try:
            data = yaml.safe_load(content)
        except (yaml.YAMLError, UnicodeDecodeError) as problem:
            first, _, _ = str(problem).partition("\n")
            raise FaultyError(f"is no YAML: {first}") from problem
    if not isinstance(data, dict) or not any(part in data for part in _PARTS):
        raise FaultyError("expected the data.yaml of YOLO, with names, and train, val or test")
    return data


def _names(names: Any) -> dict[int, str]:
    pairs = enumerate(names) if isinstance(names, list) else names.items() if names else ()
    try:
        return {int(number): str(name) for number, name in pairs}
    except (AttributeError, TypeError, ValueError) as problem:
        raise FaultyError("names its classes otherwise than YOLO does") from problem


def _images(data: dict[str, Any], base: str) -> Iterator[str]:
    """Yield the paths of the images below the dataset's folder."""
    for part in _PARTS:
        given = data.get(part) or ()
        for each in [given] if isinstance(given, str) else given:
            folder = posixpath.normpath(str(each))
            if folder.endswith(".txt"):
                yield from _listed(os.path.join(base, folder), posixpath.dirname(folder))
            elif os.path.isdir(os.path.join(base, folder)):
                for found in root_of(os.path.join(base, folder)).scan():
                    if isinstance(found, list):
                        yield from (f"{folder}/{from_text(file.path)}" for file in found)
            else:
                raise FaultyError(f"names {printable(folder)}, which is not there")


def _listed(path: str, folder: str) -> Iterator[str]:
    with Input(path).opened() as content:
        text, lines = lines_of(content)
        for line in lines:
            if line.strip():
                yield posixpath.normpath(posixpath.join(folder, line.strip()))
        text.detach()


def _boxes(path: str, names: dict[int, str]) -> list[Label] | None:
    """Return the labels in an image's file of boxes; None where there is no such file."""
    if not os.path.exists(path):
        return None
    found = []
    with Input(path).opened() as content:
        text, lines = lines_of(content)
        for number, line in enumerate(lines, 1):
            try:
                if line.strip():
                    found.append(_box(line.split(), names))
            except (LookupError, ValueError) as problem:
                raise FaultyError(
                    f"has in {printable(path)} line {number:,}: expected a class of data.yaml and "
                    "four numbers"
                ) from problem
        text.detach()
    return found or [Label("", EMPTY)]


def _box(numbers: list[str], names: dict[int, str]) -> Label:
    if len(numbers) not in (_WITH_CONFIDENCE - 1, _WITH_CONFIDENCE):
        raise ValueError(numbers)
    x, y, width, height, *sure = map(float, numbers[1:])
    box = json.dumps([x - width / 2, y - height / 2, width, height], allow_nan=False)
    label = Label("", names[int(numbers[0])], bbox=box)
    return label._replace(confidence=confidence(sure[0]), human=False) if sure else label


def _without_folder(path: str) -> str:
    """Return the path without images/ and the part, which `select` puts before it."""
    first, _, rest = path.partition("/")
    part, _, inside = rest.partition("/")
    return inside if first == "images" and part in _PARTS and inside else path
