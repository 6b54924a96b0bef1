"""Label files: what they say of images, and which images of the index they mean.

MegaDetector's results (https://lila.science/megadetector-output-format, versions 1.0 to 1.6),
and CSV with a path and a label in each row.
"""

import csv
import io
import math
import os
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, takewhile
from typing import IO, Any, NamedTuple

import ijson

from sdindex.archive.names import printable, to_text
from sdindex.archive.scan import reason
from sdindex.arguments import DEFAULT_COLUMN, DEFAULT_THRESHOLD
from sdindex.errors import LabelFileError, UsageError
from sdindex.store.fetching import PARAMETERS, batched

EMPTY = "empty"  # what COCO Camera Traps call an image without an animal

_PATHS = ("path", "filepath", "file", "relativepath")  # the first that is there
_CONFIDENCES = ("confidence", "conf")
_DELIMITERS = ",;\t"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DRIVE = re.compile(r"[A-Za-z]:/")


class Label(NamedTuple):
    """One thing that a file says of one image; an image may have several.

    Attributes
    ----------
    path
        As it is written there, with forward slashes: relative to a folder, or absolute.
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
    """A file of labels, to be gone through as often as is needed; it is never held whole.

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

    Raises
    ------
    UsageError
        When `threshold` is out of range.
    """

    def __init__(
        self, path: str, *, threshold: float = DEFAULT_THRESHOLD, column: str = DEFAULT_COLUMN
    ) -> None:
        if not 0 <= threshold <= 1:
            raise UsageError(f"a threshold is from 0 to 1, not {threshold}")
        self.path = path
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
            with open(self.path, "rb") as file:
                yield from self._detected(file) if _is_json(file) else self._written(file)
        except OSError as problem:
            raise self._problem(f"cannot be read: {reason(problem)}") from problem

    def _detected(self, file: IO[bytes]) -> Iterator[Label]:
        categories = self._categories
        number = 0
        try:
            for number, image in enumerate(_items(file, "images.item"), 1):
                try:
                    labels = _of_image(image, categories, self.threshold)
                except (AttributeError, KeyError, TypeError, ValueError) as problem:
                    raise self._problem(
                        f"is not as MegaDetector writes its results at image {number:,}: expected "
                        '"file", and "detections" with a "category" and a "conf" each, or "failure"'
                    ) from problem
                yield from labels
        except (ijson.JSONError, UnicodeDecodeError) as problem:
            raise self._problem(f"is damaged after image {number:,}: {_said(problem)}") from problem

    @cached_property
    def _categories(self) -> dict[str, str]:
        """The names of the categories; MegaDetector writes them behind the images."""
        try:
            with open(self.path, "rb") as file:
                _is_json(file)
                found = next(_items(file, "detection_categories"), None)
        except (ijson.JSONError, UnicodeDecodeError) as problem:
            raise self._problem(f"is damaged: {_said(problem)}") from problem
        if not isinstance(found, dict):
            raise self._problem(
                'has no "detection_categories": expected MegaDetector results (JSON), or CSV with '
                "the columns path and label"
            )
        return {str(number): str(name) for number, name in found.items()}

    def _written(self, file: IO[bytes]) -> Iterator[Label]:
        with io.TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="") as text:
            header = text.readline()
            delimiter = max(_DELIMITERS, key=header.count)
            rows = csv.reader(chain([header], text), delimiter=delimiter, strict=True)
            try:
                columns = self._columns(next(rows, []))
                for row in rows:
                    if row:
                        yield _of_row(row, columns, columns[_key(self.column)])
            except (csv.Error, IndexError, ValueError) as problem:
                raise self._problem(
                    f"line {rows.line_num:,}: expected a path, a label and, where there is a "
                    "column of that name, a confidence: a number; all in UTF-8"
                ) from problem

    def _columns(self, header: Sequence[str]) -> dict[str, int]:
        columns = {_key(name): place for place, name in reversed(list(enumerate(header)))}
        if _key(self.column) not in columns or not any(name in columns for name in _PATHS):
            raise self._problem(
                f"line 1: expected the columns path (or RelativePath and File) and {self.column}, "
                f"or MegaDetector results (JSON), not: {printable(', '.join(header))[:200]}"
            )
        return columns

    def _problem(self, what: str) -> LabelFileError:
        return LabelFileError(f"{printable(self.path)} {what}")


def _is_json(file: IO[bytes]) -> bool:
    """Say whether a file is JSON, and leave it at its first character."""
    head = file.read(4096)
    file.seek(len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0)
    return head.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] in (b"{", b"[")


def _items(file: IO[bytes], prefix: str) -> Iterator[Any]:
    items: Iterator[Any] = ijson.items(file, prefix, use_float=True)
    return items


def _said(problem: Exception) -> str:
    """Return the first line of what a parser says; it may say it in bytes."""
    said = problem.args[0]
    if isinstance(problem, UnicodeDecodeError):
        return "a name is no valid Unicode"
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return printable(text.strip().partition("\n")[0])


def _of_image(image: Any, categories: dict[str, str], threshold: float) -> list[Label]:
    path = _normal(image["file"])
    detections, failure = image.get("detections"), image.get("failure")
    if detections is None or failure:
        return [Label(path, None, failure=str(failure or "no detections are written"))]
    best: dict[str, float] = {}
    for detection in detections:
        # A category without a name is to be taken for no detection, says the format.
        name = categories.get(str(detection["category"]))
        confidence = float(detection["conf"])
        if name is not None and confidence >= max(threshold, best.get(name, 0.0)):
            best[name] = confidence
    if not best:
        return [Label(path, EMPTY)]
    return [Label(path, name, confidence) for name, confidence in best.items()]


def _key(column: str) -> str:
    return re.sub(r"[\s_]", "", column).lower()


def _of_row(row: Sequence[str], columns: dict[str, int], label: int) -> Label:
    path = row[columns[next(name for name in _PATHS if name in columns)]]
    if "file" in columns and "relativepath" in columns:  # as Timelapse writes it
        folder, name = row[columns["relativepath"]], row[columns["file"]]
        path = f"{folder}/{name}" if folder else name
    confidence = next((row[columns[name]] for name in _CONFIDENCES if name in columns), "").strip()
    number = float(confidence) if confidence else None
    if number is not None and not math.isfinite(number):
        raise ValueError(confidence)
    name = row[label].strip()
    name.encode("utf-8")  # raises what is another encoding, which is no text
    return Label(_normal(path), name or None, number)


def _normal(path: str) -> str:
    if not path:
        raise ValueError("a path is empty")
    return posixpath.normpath(path.replace("\\", "/"))


class Place(NamedTuple):
    """Where an image may be: below which of the folders, and its path there in stored form."""

    folder: str
    path: str


Held = Callable[[Collection[Place]], Collection[Place]]


def candidates(path: str, folders: Iterable[str], dropped: int = 0) -> list[Place]:
    """Return the places that a path of a label file may mean.

    An absolute path means one below the folder that it lies in; any other may be below each.

    Parameters
    ----------
    path
        As `Label` has it.
    folders
        Absolute, as ``os`` functions take them: the archives' roots, or folders in them.
    dropped
        How many of its leading folders to leave out; the root itself, or a drive, is one.
    """
    if dropped:
        path = "/".join(path.split("/")[dropped:])
    if path.startswith("/") or _DRIVE.match(path):
        inside = ((folder, f"{folder.replace(os.sep, '/').rstrip('/')}/") for folder in folders)
        return [
            Place(folder, to_text(path[len(start) :]))
            for folder, start in inside
            if path.startswith(start)
        ]
    stored = to_text(path)
    return [Place(folder, stored) for folder in folders]


def leading_folders(labels: Iterable[Label]) -> list[str]:
    """Return the folders that all the paths begin with; the first is empty for ``/``."""
    first, last = None, ""
    for label in labels:
        first = label.path if first is None else min(first, label.path)
        last = max(last, label.path)
    # What the smallest and the largest begin with, all between them begin with.
    folders = zip((first or "").split("/")[:-1], last.split("/")[:-1], strict=False)
    return [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], folders)]


def folders_to_drop(labels: Iterable[Label], folders: Sequence[str], held: Held) -> list[str]:
    """Return the leading folders without which paths are found; none when that finds none.

    As few as possible, and none while a single path is found as it is written: so a file
    that was made on another machine, or of a folder around the archive, is understood.

    Parameters
    ----------
    labels
        Gone through more than once.
    folders
        As for `candidates`.
    held
        Returns those of some places that the index holds.
    """

    def any_found(dropped: int) -> bool:
        return any(
            held({place for label in chunk for place in candidates(label.path, folders, dropped)})
            for chunk in batched(labels, PARAMETERS)
        )

    if any_found(0):
        return []
    leading = leading_folders(labels)
    for dropped in range(1, len(leading) + 1):
        if any_found(dropped):
            return leading[:dropped]
    return []


def match(
    labels: Iterable[Label], folders: Sequence[str], held: Held, dropped: int = 0
) -> Iterator[tuple[Label, list[Place]]]:
    """Yield each label with the places that it is of: none, one, or several in several folders.

    The parameters are those of `folders_to_drop` and `candidates`.
    """
    for chunk in batched(labels, PARAMETERS):
        asked = [candidates(label.path, folders, dropped) for label in chunk]
        known = held(set(chain.from_iterable(asked)))
        for label, places in zip(chunk, asked, strict=True):
            yield label, [place for place in places if place in known]
