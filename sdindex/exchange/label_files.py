"""Label files: MegaDetector's results, tables of labels, and other programs' exports."""

import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain, groupby
from typing import IO

from sdindex.archive.names import printable
from sdindex.archive.scan import is_image, reason
from sdindex.arguments import DEFAULT_CLASSIFICATION_THRESHOLD, DEFAULT_THRESHOLD
from sdindex.errors import LabelFileError
from sdindex.exchange.detections import (
    CATEGORIES,
    HEADER,
    PREDICTIONS,
    SPECIES,
    Header,
    Label,
    Reader,
    Remarks,
    Thresholds,
    header_of,
)
from sdindex.exchange.inputs import STDIN, Input, lines_of
from sdindex.exchange.json_stream import JsonError, Others, pieces
from sdindex.exchange.label_tables import (
    MEDIA,
    OBSERVATIONS,
    Columns,
    TableError,
    labels_in,
    media_in,
)
from sdindex.exchange.predictions import Predictions
from sdindex.exchange.predictions import header_of as header_of_predictions
from sdindex.exchange.readers import coco, cvat, label_studio, yolo
from sdindex.exchange.readers.faults import FaultyError, path_of
from sdindex.exchange.readers.file_formats import (
    COCO,
    CVAT,
    LABEL_STUDIO,
    MEGADETECTOR,
    PACKAGE,
    YOLO,
    PackedError,
    folder_file,
    kind_of,
)

DEFAULT_THRESHOLDS = Thresholds(DEFAULT_THRESHOLD, DEFAULT_CLASSIFICATION_THRESHOLD)
DEFAULT_COLUMNS = Columns()
_READERS = {
    COCO: coco.remarks,
    LABEL_STUDIO: label_studio.remarks,
    CVAT: cvat.remarks,
    YOLO: yolo.remarks,
}
_IMAGES = "images"
_MOST = 1_000_000  # characters kept of members that the format does not know
# How each kind of results must list its images, for an error.
_EXPECTED = {
    _IMAGES: 'MegaDetector writes its results at image {:,}: expected "file", and "detections" '
    'with a "category" and a "conf" from 0 to 1 each, or "failure"',
    PREDICTIONS: 'SpeciesNet writes its predictions at image {:,}: expected "filepath", '
    '"prediction" with a "prediction_score" from 0 to 1, and "detections"',
}


class LabelFile:
    """A file of labels, which can be iterated over several times and is never in memory whole.

    MegaDetector's results give, for each detection above the threshold, its likeliest species or
    else its category; ``empty`` for an image without one; and failures. A table gives each row,
    whatever its confidence. For other programs' exports see `sdindex.exchange.readers`.

    Parameters
    ----------
    path
        A file of any name, as its content shows the format; or the folder of a package of Camtrap
        DP, or of a dataset of YOLO.
    thresholds
        For results only.
    columns
        For tables only.
    kind
        One of `sdindex.exchange.readers.file_formats.KINDS`; by default the content shows it.
    opened
        The input of that path, if it is open already: a pipe is read once.

    Attributes
    ----------
    others
        The members of results that the format does not know; complete after an iteration.
    """

    def __init__(
        self,
        path: str,
        *,
        thresholds: Thresholds = DEFAULT_THRESHOLDS,
        columns: Columns = DEFAULT_COLUMNS,
        kind: str | None = None,
        opened: Input | None = None,
    ) -> None:
        self.path = path
        self._opened = opened
        self._thresholds = thresholds
        self._columns = columns
        self._forced = kind
        self.others = Others(HEADER, _MOST)

    def __iter__(self) -> Iterator[Label]:
        """Yield the labels in the file's order.

        Raises
        ------
        LabelFileError
            When it cannot be read, or is in no known format.
        """
        return (label for remarks in self.remarks() for label in remarks.labels)

    def remarks(self) -> Iterator[Remarks]:
        """Yield what the file says of each image, in its order.

        Raises
        ------
        LabelFileError
            When it cannot be read, or is in no known format.
        """
        try:
            kind = self.kind
            if kind in _READERS:
                yield from _READERS[kind](self._input)
                return
            header = self.header
            with self._input.opened() as file:
                if header is not None:
                    yield from self._detected(file, header)
                    return
                for label in self._written(file):
                    yield Remarks(label.path, [label])
        except OSError as problem:
            raise self._problem(f"cannot be read: {reason(problem)}") from problem
        except FaultyError as problem:
            raise self._problem(str(problem)) from problem
        except JsonError as problem:
            raise self._problem(f"is damaged: {problem}") from problem

    @cached_property
    def kind(self) -> str:
        """The file's format."""
        if self._forced is not None:
            return self._forced
        try:
            return kind_of(self._input)
        except PackedError as problem:
            raise self._problem("is a ZIP; unpack it, and name the file in it") from problem

    @cached_property
    def _input(self) -> Input:
        """The file itself, or the observations of a package."""
        path = folder_file(self.path)
        if os.path.basename(path) == PACKAGE:
            return Input(os.path.join(os.path.dirname(path), OBSERVATIONS))
        return Input(path) if self._opened is None or path != self.path else self._opened

    def paths(self) -> "Paths":
        """Return the paths of all labelled images."""
        return Paths(self)

    @cached_property
    def header(self) -> Header | None:
        """All of a results file but the images; None for a table. MegaDetector writes it last."""
        try:
            if self.kind != MEGADETECTOR:
                return None
            with self._input.opened() as file:
                header = header_of(file)
            if not header:
                with self._input.opened() as file:
                    header = header_of_predictions(file)
        except OSError as problem:
            raise self._problem(f"cannot be read: {reason(problem)}") from problem
        except JsonError as problem:
            raise self._problem(f"is damaged: {problem}") from problem
        if CATEGORIES not in header:
            raise self._problem(
                f'has no "{CATEGORIES}": expected MegaDetector results (JSON), predictions of '
                "SpeciesNet, or CSV with the columns path and label"
            )
        names = chain(header[CATEGORIES].values(), header.get(SPECIES, {}).values())
        for name in filter(is_image, map(str, names)):
            raise self._problem(f"has a category {name}: that is the name of an image, no label")
        return header

    def _detected(self, file: IO[bytes], header: Header) -> Iterator[Remarks]:
        number, least = 0, self._thresholds.detection
        try:
            reader = Reader(header, self._thresholds)
        except UnicodeEncodeError as problem:
            raise self._problem("is damaged: a category is no valid Unicode") from problem
        predictions = Predictions(header, least)
        self.others = Others(HEADER, _MOST)
        try:
            found = pieces(file, _EXPECTED, others=self.others)
            for number, (name, image) in enumerate(found, 1):
                try:
                    if name == PREDICTIONS:
                        image = predictions.image(image)
                    path = path_of(image.pop("file"))
                    labels = list(reader.labels(path, image))
                except (AttributeError, LookupError, TypeError, ValueError) as problem:
                    expected = _EXPECTED[name].format(number)
                    raise self._problem(f"is not as {expected}") from problem
                yield Remarks(path, labels, image)
        except JsonError as problem:
            raise self._problem(f"is damaged after image {number:,}: {problem}") from problem

    def _written(self, file: IO[bytes]) -> Iterator[Label]:
        text, lines = lines_of(file)
        try:
            yield from labels_in(next(lines, ""), lines, self._columns, self.media)
        except TableError as problem:
            raise self._problem(str(problem)) from problem
        finally:
            text.detach()  # whoever opened the file closes it

    def media(self) -> Mapping[str, str]:
        """Return the file of each medium, by id, for the observations of Camtrap DP.

        Raises
        ------
        LabelFileError
            When no valid table of media lies beside the observations.
        """
        path = os.path.join(os.path.dirname(self._input.name), MEDIA)
        if self.path == STDIN or not os.path.exists(path):
            raise self._problem(
                f"has observations of media, and no {MEDIA} lies beside it, which names their "
                "files; put the two tables of Camtrap DP in one folder"
            )
        with Input(path).opened() as file:
            text, lines = lines_of(file)
            try:
                return media_in(lines)
            except TableError as problem:
                raise LabelFileError(f"{printable(path)} {printable(str(problem))}") from problem
            finally:
                text.detach()

    def _problem(self, what: str) -> LabelFileError:
        return LabelFileError(f"{printable(self.path)} {printable(what)}")


class Paths:
    """The paths in a label file, which can be iterated over several times."""

    def __init__(self, labels: LabelFile) -> None:
        self._labels = labels

    def __iter__(self) -> Iterator[str]:
        """Yield the path of each label; equal paths in a row come once."""
        return (path for path, _ in groupby(remarks.path for remarks in self._labels.remarks()))
