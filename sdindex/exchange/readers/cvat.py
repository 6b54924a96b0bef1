"""CVAT's export "CVAT for images", and its manifests: XML, and a line of JSON for each image."""

import json
from collections.abc import Iterator
from typing import NoReturn
from xml.parsers import expat

from sdindex.exchange.detections import Label, Remarks, confidence, text
from sdindex.exchange.inputs import Input, lines_of
from sdindex.exchange.readers.faults import FaultyError, path_of

_CHUNK = 1 << 20  # bytes read at once
_HUMAN = ("manual", "semi-auto", "consensus")  # values of source that mean a person
_SHAPES = ("box", "tag", "polygon", "polyline", "points", "ellipse", "mask", "skeleton", "cuboid")
_CORNERS = ("xtl", "ytl", "xbr", "ybr")


def remarks(file: Input) -> Iterator[Remarks]:
    """Yield the labels of each image: boxes and tags, and other shapes without a box."""
    images = _Images()
    with file.opened() as content:
        try:
            while chunk := content.read(_CHUNK):
                images.parser.Parse(chunk, False)
                yield from images.taken()
            images.parser.Parse(b"", True)
            yield from images.taken()
        except expat.ExpatError as problem:
            raise FaultyError(f"is no whole XML: {problem}") from problem
    if not images.root == "annotations":
        raise FaultyError("expected the XML of CVAT for images 1.1")


def manifest_paths(file: Input) -> Iterator[str]:
    """Yield the paths of the images of a manifest."""
    with file.opened() as content:
        stream, lines = lines_of(content)
        for number, line in enumerate(lines, 1):
            try:
                found = json.loads(line) if line.strip() else {}
                if "name" in found:
                    yield path_of(found["name"] + found["extension"])
            except (LookupError, TypeError, ValueError) as problem:
                raise FaultyError(f"line {number:,} is not as in a manifest of CVAT") from problem
        stream.detach()


class _Images:
    """The images of an export, as they are parsed."""

    def __init__(self) -> None:
        self.root = ""
        self._path = ""
        self._size = 0.0, 0.0
        self._labels: list[Label] = []
        self._done: list[Remarks] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.EntityDeclHandler = _refuse  # clear it, as it would grow without bound

    def taken(self) -> list[Remarks]:
        """Return the images that are complete since the last call."""
        done, self._done = self._done, []
        return done

    def _start(self, name: str, given: dict[str, str]) -> None:
        self.root = self.root or name
        try:
            if name == "image":
                self._path = path_of(given["name"])
                self._size = float(given["width"]), float(given["height"])
                self._labels = []
            elif name in _SHAPES and self._path:
                self._labels.append(self._label(name, given))
        except (LookupError, ValueError) as problem:
            at = self.parser.CurrentLineNumber
            raise FaultyError(f"line {at:,} is not as CVAT exports it") from problem

    def _end(self, name: str) -> None:
        if name == "image":
            self._done.append(Remarks(self._path, self._labels))
            self._path, self._labels = "", []

    def _label(self, shape: str, given: dict[str, str]) -> Label:
        human = given.get("source", _HUMAN[0]) in _HUMAN
        sure = given.get("score")
        return Label(
            self._path,
            text(given["label"]),
            None if human or sure is None else confidence(float(sure)),
            bbox=self._box(given) if shape == "box" else None,
            human=human,
        )

    def _box(self, given: dict[str, str]) -> str:
        (width, height), corners = self._size, [float(given[name]) for name in _CORNERS]
        left, top, right, bottom = corners
        sides = left / width, top / height, (right - left) / width, (bottom - top) / height
        return json.dumps(sides, allow_nan=False)


def _refuse(*_: object) -> NoReturn:
    raise FaultyError("declares entities, which no export of CVAT does")
