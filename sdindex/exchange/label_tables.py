"""Tables of labels: CSV of any kind, Timelapse's, and the observations of Camtrap DP.

Case, spaces and underscores in the names of columns are of no account.
"""

import csv
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sdindex.archive.names import printable
from sdindex.archive.scan import is_image
from sdindex.arguments import DEFAULT_COLUMN
from sdindex.exchange.detections import EMPTY, Label, confidence, text

MEDIA = "media.csv"  # beside the observations of Camtrap DP: which file each medium is

_PATHS = ("path", "filepath", "file", "relativepath")  # the first that is there
_CONFIDENCES = ("confidence", "conf", "classificationprobability")
_DELIMITERS = ",;\t"
_TIMELAPSE = {"file", "relativepath"}
_SPECIES = "species"  # where a template of Timelapse has a column of labels, it is mostly this
_OBSERVATIONS = {"observationid", "mediaid", "observationtype", "scientificname"}
_SAID_BY = ("classifiedby", "classificationmethod")
_BOX = ("bboxx", "bboxy", "bboxwidth", "bboxheight")
# What observations of no species are labelled as, beside their own type.
_TYPES = {"blank": EMPTY, "unclassified": "", "unknown": ""}


class Columns(NamedTuple):
    """The names of the columns that are read; None means those that are usual."""

    label: str = DEFAULT_COLUMN
    confidence: str | None = None
    source: str | None = None


class TableError(ValueError):
    """A fault in a table, and its line."""


class _ImageNameError(ValueError):
    """A label that is the name of an image."""


def labels_in(
    header: str, lines: Iterator[str], columns: Columns, media: Callable[[], Mapping[str, str]]
) -> Iterator[Label]:
    """Yield the labels of a table whose first line names the columns.

    Parameters
    ----------
    media
        Gives the files of media, by their ids, where the table speaks of such.

    Raises
    ------
    TableError
        When it is no such table, or a row of it is wrong.
    """
    rows = csv.reader(
        _all(header, lines), delimiter=max(_DELIMITERS, key=header.count), strict=True
    )
    try:
        found = _number_of(names := next(rows, []))
        kind = _Observations if found.keys() >= _OBSERVATIONS else _Table
        table = kind(names, found, columns, media)
        for row in rows:
            if row:
                yield table.label(row)
    except _ImageNameError as problem:
        raise TableError(
            f"line {rows.line_num:,}: {problem} is the name of an image, no label; name the "
            "column of the labels with --column"
        ) from problem
    except TableError:
        raise
    except (csv.Error, IndexError, ValueError) as problem:
        raise TableError(
            f"line {rows.line_num:,}: expected a path, a label and, where there is a "
            "column of that name, a confidence: a number from 0 to 1; all in UTF-8"
        ) from problem


def media_in(lines: Iterator[str]) -> dict[str, str]:
    """Return the file of each medium, by its id, from a table of media of Camtrap DP.

    Raises
    ------
    TableError
        When it is none.
    """
    rows = csv.reader(lines, strict=True)
    try:
        found = _number_of(next(rows, []))
        number, path = found["mediaid"], found["filepath"]
        return {row[number]: row[path] for row in rows if row}
    except (csv.Error, KeyError, IndexError) as problem:
        raise TableError(
            f"line {rows.line_num:,}: expected the columns mediaID and filePath of Camtrap DP"
        ) from problem


class _Table:
    """A table with a path and a label in each row."""

    def __init__(
        self, names: Sequence[str], found: Mapping[str, int], columns: Columns,
        media: Callable[[], Mapping[str, str]],
    ) -> None:  # fmt: skip
        self._names, self._found, self._media = names, found, media
        label = _key(columns.label)
        if label == DEFAULT_COLUMN and label not in found and found.keys() >= _TIMELAPSE:
            label = _SPECIES
        if label in _PATHS:
            raise TableError(
                f"has paths in its column {printable(columns.label)}, not labels; name another "
                f"with --column: {self._listed()}"
            )
        self._require(label, columns.label)
        self._label = found.get(label)
        self._confidence = self._first(columns.confidence, _CONFIDENCES)
        self._source = self._first(columns.source, ())

    def label(self, row: Sequence[str]) -> Label:
        """Return what a row says."""
        written = row[self._confidence].strip() if self._confidence is not None else ""
        name = self._name(row)
        if is_image(name):
            raise _ImageNameError(name)
        return Label(
            path_of(self._path(row)),
            name or None,
            confidence(float(written)) if written else None,
            bbox=self._box(row),
            source=self._said_by(row) or None,
        )

    def _require(self, label: str, name: str) -> None:
        if label not in self._found or not any(path in self._found for path in _PATHS):
            raise TableError(
                f"line 1: expected the columns path (or RelativePath and File) and "
                f"{printable(name)}, or MegaDetector results (JSON), not: {self._listed()}"
            )

    def _first(self, wanted: str | None, usual: Sequence[str]) -> int | None:
        """Return the number of the column that is wanted, or of the first of the usual ones."""
        if wanted is not None and _key(wanted) not in self._found:
            raise TableError(f"has no column {printable(wanted)}; its columns: {self._listed()}")
        names = [_key(wanted)] if wanted is not None else usual
        return next((self._found[name] for name in names if name in self._found), None)

    def _listed(self) -> str:
        return printable(", ".join(self._names))[:200]

    def _name(self, row: Sequence[str]) -> str:
        return text(row[self._label].strip()) if self._label is not None else ""

    def _path(self, row: Sequence[str]) -> str:
        found = self._found
        if found.keys() >= _TIMELAPSE:
            folder, name = row[found["relativepath"]], row[found["file"]]
            return f"{folder}/{name}" if folder else name
        return row[found[next(name for name in _PATHS if name in found)]]

    def _box(self, row: Sequence[str]) -> str | None:
        return None

    def _said_by(self, row: Sequence[str]) -> str:
        return text(row[self._source].strip()) if self._source is not None else ""


class _Observations(_Table):
    """The observations of Camtrap DP: each of a medium, whose file another table names."""

    def __init__(
        self, names: Sequence[str], found: Mapping[str, int], columns: Columns,
        media: Callable[[], Mapping[str, str]],
    ) -> None:  # fmt: skip
        super().__init__(names, found, columns, media)
        if self._label is None:
            self._label = found["scientificname"]
        self._files = media()

    def _require(self, label: str, name: str) -> None:
        if label not in self._found and label != DEFAULT_COLUMN:
            raise TableError(f"has no column {printable(name)}; its columns: {self._listed()}")

    def _name(self, row: Sequence[str]) -> str:
        kind = row[self._found["observationtype"]].strip()
        return super()._name(row) or _TYPES.get(kind, text(kind))

    def _path(self, row: Sequence[str]) -> str:
        """Return the file of the medium; what is of no medium is of no file that is known."""
        medium = row[self._found["mediaid"]]
        event = row[self._found["eventid"]] if "eventid" in self._found else ""
        return self._files.get(medium, medium or event or "an observation of no medium")

    def _box(self, row: Sequence[str]) -> str | None:
        written = [row[self._found[name]].strip() for name in _BOX if name in self._found]
        if len(written) < len(_BOX) or not all(written):
            return None
        return json.dumps([float(number) for number in written], allow_nan=False)

    def _said_by(self, row: Sequence[str]) -> str:
        if self._source is not None:
            return super()._said_by(row)
        by = (row[self._found[name]].strip() for name in _SAID_BY if name in self._found)
        return text(next(filter(None, by), ""))


def path_of(path: str) -> str:
    """Return a path, and raise ValueError if no file has such a name."""
    if not path or "\0" in path:
        raise ValueError("no path")
    os.fsencode(path)  # raises what is no name of a file
    return path


def _all(header: str, lines: Iterator[str]) -> Iterator[str]:
    yield header
    yield from lines


def _number_of(names: Sequence[str]) -> dict[str, int]:
    return {_key(name): number for number, name in reversed(list(enumerate(names)))}


def _key(column: str) -> str:
    return re.sub(r"[\s_]", "", column).lower()
