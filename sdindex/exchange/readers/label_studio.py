"""Label Studio's export as JSON: annotations are people's, predictions are a machine's."""

import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from sdindex.exchange.detections import EMPTY, Label, Remarks, confidence, text
from sdindex.exchange.inputs import Input
from sdindex.exchange.json_stream import pieces
from sdindex.exchange.readers.faults import FaultyError, path_of

_PERCENT = 100
_LOCAL = "d"  # the parameter with the path in an address of local files


def remarks(file: Input) -> Iterator[Remarks]:
    """Yield the labels of each task's image.

    An annotation without a result is ``empty``. Rectangles and choices are read; other shapes give
    labels without a box.
    """
    with file.opened() as content:
        for number, (_, task) in enumerate(pieces(content), 1):
            try:
                path = path_of(_path(task["data"]))
                yield Remarks(path, [*_labels(path, task)])
            except (AttributeError, LookupError, TypeError, ValueError) as problem:
                raise FaultyError(
                    f"task {number:,} is not as Label Studio exports it (as JSON): expected "
                    '"data" with the address of an image, and "annotations" or "predictions"'
                ) from problem


def _path(data: dict[str, Any]) -> str:
    """Return the path in an image's address: of a local file, or on the web."""
    address = data.get("image") or next(filter(_is_address, data.values()), "")
    parts = urlsplit(str(address))
    for part in parts.query.split("&"):
        name, _, value = part.partition("=")
        if name == _LOCAL:
            return _unquoted(value)
    path = _unquoted(parts.path)
    return path.lstrip("/") if parts.netloc else path


def _is_address(value: object) -> bool:
    return isinstance(value, str) and "/" in value


def _unquoted(quoted: str) -> str:
    return os.fsdecode(unquote_to_bytes(quoted))


def _labels(path: str, task: dict[str, Any]) -> Iterator[Label]:
    for annotation in task.get("annotations") or ():
        if not annotation.get("was_cancelled"):
            by = annotation.get("completed_by")
            source = text(by["email"]) if isinstance(by, dict) and by.get("email") else None
            results = annotation["result"]
            yield from _said(path, results, source, human=True)
            if not results:
                yield Label(path, EMPTY, source=source, human=True)
    for prediction in task.get("predictions") or ():
        if isinstance(prediction, dict):  # an export may have only the people's numbers
            source = text(str(prediction.get("model_version") or "")) or None
            yield from _said(path, prediction["result"], source, human=False)


def _said(path: str, results: Any, source: str | None, *, human: bool) -> Iterator[Label]:
    for result in results:
        value = result.get("value") or {}
        score = result.get("score")
        names = value.get(result.get("type"), ())
        for name in names if isinstance(names, list) else ():
            yield Label(
                path,
                text(str(name)),
                None if score is None or human else confidence(score),
                bbox=_box(value) if "rectanglelabels" in value else None,
                source=source,
                human=human,
            )


def _box(value: dict[str, Any]) -> str:
    sides = (float(value[side]) / _PERCENT for side in ("x", "y", "width", "height"))
    return json.dumps([*sides], allow_nan=False)
