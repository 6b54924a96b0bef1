"""Tables of labels: CSV of any kind, Timelapse's, and the observations of Camtrap DP.

Case, spaces and underscores in column names are ignored.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, NoReturn

from sdindex.archive.names import printable
from sdindex.archive.scan import is_image
from sdindex.arguments import DEFAULT_COLUMN
from sdindex.exchange.detections import EMPTY, Label, confidence, text
from sdindex.exchange.readers.faults import path_of
from sdindex.exchange.tables import from_cell

OBSERVATIONS = "observations.csv"  # of Camtrap DP
MEDIA = "media.csv"  # lies beside the observations of Camtrap DP, and names each medium's file

_PATHS = ("path", "filepath", "file", "filename", "relativepath")  # the first that is there
_CONFIDENCES = ("confidence", "conf", "classificationprobability")
_DELIMITERS = ",;\t"
_OURS = {
    "path",
    "dhash",
    "bucket",
}  # columns of `select --format csv`, whose cells are escaped for spreadsheets
_TIMELAPSE = {"file", "relativepath"}
_SPECIES = "species"  # the usual column of labels in templates of Timelapse
_OBSERVATIONS = {"observationid", "mediaid", "observationtype", "scientificname"}
_METHOD = "classificationmethod"
_SAID_BY = ("classifiedby", _METHOD)
_TAGS, _TAG = "observationtags", "label:"  # with which `select` writes the label itself
_BOX = ("bboxx", "bboxy", "bboxwidth", "bboxheight")
_MISSING = {"NA", "NaN", "nan"}  # stand for no value there, as an empty cell does
# Labels for types of observations; other types are labels themselves.
_TYPES = {"blank": EMPTY, "unclassified": "", "unknown": ""}


class Columns(NamedTuple):
    """The names of the columns to read; None means the usual ones."""

    label: str = DEFAULT_COLUMN
    confidence: str | None = None
    source: str | None = None


class TableError(ValueError):
    """A fault in a table, and its line."""


class _ImageNameError(ValueError):
    """A label that is the name of an image file."""


def labels_in(
    header: str, lines: Iterator[str], columns: Columns, media: Callable[[], Mapping[str, str]]
) -> Iterator[Label]:
    """Yield the labels of a table whose first line names the columns.

    Parameters
    ----------
    media
        Called for the observations of Camtrap DP: returns the file of each medium, by id.

    Raises
    ------
    TableError
        When it is no table of labels, or a row is wrong.
    """
    rows = csv.reader(_all(header, lines), delimiter=_delimiter(header), strict=True)
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


def has_paths(header: str) -> bool:
    """Say whether a first line is the header of a table with paths."""
    names = next(csv.reader([header], delimiter=_delimiter(header)), [])
    found = _number_of(names)
    return any(map(found.__contains__, _PATHS)) or found.keys() >= _OBSERVATIONS


def paths_in(
    header: str, lines: Iterator[str], media: Callable[[], Mapping[str, str]]
) -> Iterator[str]:
    """Yield the path in each row of a table that `has_paths`; `media` as for `labels_in`.

    Raises
    ------
    TableError
        When a row is wrong.
    """
    rows = csv.reader(_all(header, lines), delimiter=_delimiter(header), strict=True)
    try:
        found = _number_of(next(rows, []))
        is_ours = found.keys() >= _OURS
        files = media() if found.keys() >= _OBSERVATIONS else {}
        for row in filter(None, rows):
            path = _media_path(row, found, files) if files else _path_in(row, found)
            yield path_of(from_cell(path) if is_ours else path)
    except (csv.Error, IndexError, ValueError) as problem:
        raise TableError(f"line {rows.line_num:,}: expected a path") from problem


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
        """Return the label in a row."""
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
            human=self._is_human(row),
        )

    def _require(self, label: str, name: str) -> None:
        if not any(path in self._found for path in _PATHS):
            raise TableError(
                f"line 1: expected the columns path (or RelativePath and File) and "
                f"{printable(name)}, or MegaDetector results (JSON), not: {self._listed()}"
            )
        if label not in self._found:
            self._refuse(name)

    def _refuse(self, name: str) -> NoReturn:
        raise TableError(
            f"has no column {printable(name)}: name the one that has the labels with --column "
            f"NAME; its columns: {self._listed()}"
        )

    def _first(self, wanted: str | None, usual: Sequence[str]) -> int | None:
        """Return the index of the wanted column, or of the first usual one; None without."""
        if wanted is not None and _key(wanted) not in self._found:
            raise TableError(f"has no column {printable(wanted)}; its columns: {self._listed()}")
        names = [_key(wanted)] if wanted is not None else usual
        return next((self._found[name] for name in names if name in self._found), None)

    def _listed(self) -> str:
        return printable(", ".join(self._names))[:200]

    def _name(self, row: Sequence[str]) -> str:
        return text(row[self._label].strip()) if self._label is not None else ""

    def _path(self, row: Sequence[str]) -> str:
        return _path_in(row, self._found)

    def _box(self, row: Sequence[str]) -> str | None:
        return None

    def _is_human(self, row: Sequence[str]) -> bool | None:
        """Say whether a person gave a label: a machine's has a confidence."""
        return True if self._confidence is None else None

    def _said_by(self, row: Sequence[str]) -> str:
        return text(row[self._source].strip()) if self._source is not None else ""


class _Observations(_Table):
    """The observations of Camtrap DP; another table names the file of each medium."""

    def __init__(
        self, names: Sequence[str], found: Mapping[str, int], columns: Columns,
        media: Callable[[], Mapping[str, str]],
    ) -> None:  # fmt: skip
        super().__init__(names, found, columns, media)
        if self._label is None:
            self._label = found["scientificname"]
        self._files = media()

    def label(self, row: Sequence[str]) -> Label:
        """Return the label in a row."""
        if not _MISSING.isdisjoint(row):
            row = ["" if value in _MISSING else value for value in row]
        return super().label(row)

    def _require(self, label: str, name: str) -> None:
        if label not in self._found and label != DEFAULT_COLUMN:
            self._refuse(name)

    def _name(self, row: Sequence[str]) -> str:
        tags = row[self._found[_TAGS]].split("|") if _TAGS in self._found else ()
        for tag in tags:
            if tag.startswith(_TAG):
                return text(tag.removeprefix(_TAG))
        kind = row[self._found["observationtype"]].strip()
        return super()._name(row) or _TYPES.get(kind, text(kind))

    def _path(self, row: Sequence[str]) -> str:
        return _media_path(row, self._found, self._files)

    def _box(self, row: Sequence[str]) -> str | None:
        written = [row[self._found[name]].strip() for name in _BOX if name in self._found]
        if len(written) < len(_BOX) or not all(written):
            return None
        return json.dumps([float(number) for number in written], allow_nan=False)

    def _is_human(self, row: Sequence[str]) -> bool | None:
        method = row[self._found[_METHOD]].strip() if _METHOD in self._found else ""
        return method == "human" if method else None

    def _said_by(self, row: Sequence[str]) -> str:
        if self._source is not None:
            return super()._said_by(row)
        by = (row[self._found[name]].strip() for name in _SAID_BY if name in self._found)
        return text(next(filter(None, by), ""))


def _path_in(row: Sequence[str], found: Mapping[str, int]) -> str:
    if found.keys() >= _TIMELAPSE:
        folder, name = row[found["relativepath"]], row[found["file"]]
        return f"{folder}/{name}" if folder else name
    return row[found[next(name for name in _PATHS if name in found)]]


def _media_path(row: Sequence[str], found: Mapping[str, int], files: Mapping[str, str]) -> str:
    """Return the file of an observation's medium; without one, a text that matches no image."""
    medium = row[found["mediaid"]]
    event = row[found["eventid"]] if "eventid" in found else ""
    return files.get(medium, medium or event or "an observation of no medium")


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _all(header: str, lines: Iterator[str]) -> Iterator[str]:
    yield header
    yield from lines


def _number_of(names: Sequence[str]) -> dict[str, int]:
    return {_key(name): number for number, name in reversed(list(enumerate(names)))}


def _key(column: str) -> str:
    return re.sub(r"[\s_]", "", column).lower()
