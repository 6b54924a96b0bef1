"""Label files: what they say of images, and which images of the index they mean.

MegaDetector's results (https://lila.science/megadetector-output-format, versions 1.0 to 1.6),
and CSV with a path and a label in each row.
"""

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, groupby
from typing import IO, Any, NamedTuple

from sdindex.archive.names import printable
from sdindex.archive.scan import is_image, reason
from sdindex.arguments import DEFAULT_COLUMN, DEFAULT_THRESHOLD
from sdindex.errors import LabelFileError
from sdindex.exchange.inputs import Input
from sdindex.exchange.json_stream import JsonError, pieces

EMPTY = "empty"  # what COCO Camera Traps call an image without an animal

_PATHS = ("path", "filepath", "file", "relativepath")  # the first that is there
_CONFIDENCES = ("confidence", "conf")
_DELIMITERS = ",;\t"
_LONGEST_LINE = 1 << 20  # characters; a longer one is no line of a table
_LONGEST_FAILURE = 1000  # characters


class Label(NamedTuple):
    """What a file says of an image: a label, or a failure. An image may have several.

    Attributes
    ----------
    path
        As it is written there: see `sdindex.exchange.matching`.
    label
        None where none could be given (`failure` says why), or none is written.
    confidence
        0 to 1; None where none is written.
    failure
        Why the image could not be processed; None when it was.
    """

    path: str
    label: str | None
    confidence: float | None = None
    failure: str | None = None


class LabelFile:
    """A file of labels, to be gone through as often as is needed; it is never in memory whole.

    Of MegaDetector's results: each category of detection with its highest confidence, where
    that is at least the threshold, or else the label ``empty``; what could not be processed,
    with the reason. Of CSV: each row, whatever its confidence.

    Parameters
    ----------
    path
        The kind of file is seen from what is in it, not from its name.
    threshold
        0 to 1; for detections only.
    column
        The column of the labels, in CSV; case, spaces and underscores are of no account.
    """

    def __init__(
        self, path: str, *, threshold: float = DEFAULT_THRESHOLD, column: str = DEFAULT_COLUMN
    ) -> None:
        self.path = path
        self._input = Input(path)
        self.threshold = threshold
        self.column = column

    def __iter__(self) -> Iterator[Label]:
        """Yield the labels in the file's order.

        Raises
        ------
        LabelFileError
            When it cannot be read, or is neither of the two kinds.
        """
        try:
            with self._input.opened() as file:
                is_json = _begins_json(file)
            categories = self._categories if is_json else {}
            with self._input.opened() as file:
                yield from self._detected(file, categories) if is_json else self._written(file)
        except OSError as problem:
            raise self._problem(f"cannot be read: {reason(problem)}") from problem

    def paths(self) -> "Paths":
        """Return the paths that are labelled."""
        return Paths(self)

    def _detected(self, file: IO[bytes], categories: dict[str, str]) -> Iterator[Label]:
        number = 0
        try:
            for number, (_, image) in enumerate(pieces(file, ("images",)), 1):
                try:
                    labels = _of_image(image, categories, self.threshold)
                except (AttributeError, KeyError, TypeError, ValueError) as problem:
                    raise self._problem(
                        f"is not as MegaDetector writes its results at image {number:,}: expected "
                        '"file", and "detections" with a "category" and a "conf" from 0 to 1 '
                        'each, or "failure"'
                    ) from problem
                yield from labels
        except JsonError as problem:
            raise self._problem(f"is damaged after image {number:,}: {problem}") from problem

    @cached_property
    def _categories(self) -> dict[str, str]:
        """The names of the categories; MegaDetector writes them behind the images."""
        try:
            with self._input.opened() as file:
                _, found = next(pieces(file, ("detection_categories",)), ("", None))
        except JsonError as problem:
            raise self._problem(f"is damaged: {problem}") from problem
        if not isinstance(found, dict):
            raise self._problem(
                'has no "detection_categories": expected MegaDetector results (JSON), or CSV with '
                "the columns path and label"
            )
        try:
            names = {str(number): _text(str(name)) for number, name in found.items()}
        except UnicodeEncodeError as problem:
            raise self._problem("is damaged: a category is no valid Unicode") from problem
        for name in filter(is_image, names.values()):
            raise self._problem(f"has a category {name}: that is the name of an image, no label")
        return names

    def _written(self, file: IO[bytes]) -> Iterator[Label]:
        text = io.TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="")
        header = text.readline(_LONGEST_LINE)
        lines = chain([header], iter(lambda: text.readline(_LONGEST_LINE), ""))
        delimiter = max(_DELIMITERS, key=header.count)
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            columns = self._columns(next(rows, []))
            for row in rows:
                if row:
                    yield _of_row(row, columns, columns[_key(self.column)])
        except _ImageNameError as problem:
            raise self._problem(
                f"line {rows.line_num:,}: {problem} is the name of an image, no label; name the "
                "column of the labels with --column"
            ) from problem
        except (csv.Error, IndexError, ValueError) as problem:
            raise self._problem(
                f"line {rows.line_num:,}: expected a path, a label and, where there is a "
                "column of that name, a confidence: a number from 0 to 1; all in UTF-8"
            ) from problem
        finally:
            text.detach()  # the file is for whoever opened it to close

    def _columns(self, header: Sequence[str]) -> dict[str, int]:
        columns = {_key(name): number for number, name in reversed(list(enumerate(header)))}
        if _key(self.column) in _PATHS:
            raise self._problem(
                f"has paths in its column {printable(self.column)}, not labels; name another "
                f"with --column: {printable(', '.join(header))[:200]}"
            )
        if _key(self.column) not in columns or not any(name in columns for name in _PATHS):
            raise self._problem(
                f"line 1: expected the columns path (or RelativePath and File) and {self.column}, "
                f"or MegaDetector results (JSON), not: {printable(', '.join(header))[:200]}"
            )
        return columns

    def _problem(self, what: str) -> LabelFileError:
        return LabelFileError(f"{printable(self.path)} {printable(what)}")


class Paths:
    """The paths of a label file, to be gone through as often as is needed."""

    def __init__(self, labels: Iterable[Label]) -> None:
        self._labels = labels

    def __iter__(self) -> Iterator[str]:
        """Yield the path of each label, once where several follow each other."""
        return (path for path, _ in groupby(label.path for label in self._labels))


class _ImageNameError(ValueError):
    """What should be a label is the name of an image."""


def _begins_json(file: IO[bytes]) -> bool:
    """Say whether a file begins as JSON does, whole or not."""
    start = file.tell()
    head = file.read(4096)
    file.seek(start)
    return head.lstrip()[:1] in (b"{", b"[")


def _of_image(image: Any, categories: dict[str, str], threshold: float) -> list[Label]:
    path = _path(image["file"])
    detections, failure = image.get("detections"), image.get("failure")
    if detections is None or failure:
        said = _text(str(failure or "no detections are written")[:_LONGEST_FAILURE])
        return [Label(path, None, failure=said)]
    best: dict[str, float] = {}
    for detection in detections:
        # A category without a name is to be taken for no detection, says the format.
        name = categories.get(str(detection["category"]))
        confidence = _confidence(detection["conf"])
        if name is not None and confidence >= max(threshold, best.get(name, 0.0)):
            best[name] = confidence
    if not best:
        return [Label(path, EMPTY)]
    return [Label(path, name, confidence) for name, confidence in best.items()]


def _confidence(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(value)
    return float(value)


def _key(column: str) -> str:
    return re.sub(r"[\s_]", "", column).lower()


def _of_row(row: Sequence[str], columns: dict[str, int], label: int) -> Label:
    path = row[columns[next(name for name in _PATHS if name in columns)]]
    if "file" in columns and "relativepath" in columns:  # as Timelapse writes it
        folder, name = row[columns["relativepath"]], row[columns["file"]]
        path = f"{folder}/{name}" if folder else name
    written = next((row[columns[name]] for name in _CONFIDENCES if name in columns), "").strip()
    confidence = _confidence(float(written)) if written else None
    name = _text(row[label].strip())
    if is_image(name):
        raise _ImageNameError(name)
    return Label(_path(path), name or None, confidence)


def _path(path: str) -> str:
    if not path or "\0" in path:
        raise ValueError("no path")
    os.fsencode(path)  # raises what is no name of a file
    return path


def _text(text: str) -> str:
    """Return a text, and raise UnicodeEncodeError if it cannot be stored."""
    text.encode("utf-8")
    return text
