"""Label files: MegaDetector's results, and tables with a path and a label in each row."""

import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain, groupby
from typing import IO, Any, NamedTuple

from sdindex.archive.names import printable
from sdindex.archive.scan import is_image, reason
from sdindex.arguments import DEFAULT_CLASSIFICATION_THRESHOLD, DEFAULT_THRESHOLD
from sdindex.errors import LabelFileError
from sdindex.exchange.detections import (
    CATEGORIES,
    SPECIES,
    Header,
    Label,
    Reader,
    Thresholds,
    header_of,
)
from sdindex.exchange.inputs import STDIN, Input, lines_of
from sdindex.exchange.json_stream import JsonError, pieces
from sdindex.exchange.label_tables import (
    MEDIA,
    Columns,
    TableError,
    labels_in,
    media_in,
    path_of,
)

DEFAULT_THRESHOLDS = Thresholds(DEFAULT_THRESHOLD, DEFAULT_CLASSIFICATION_THRESHOLD)
DEFAULT_COLUMNS = Columns()


class Remarks(NamedTuple):
    """The labels that a file gives for an image, in one place.

    Attributes
    ----------
    path
        As it is written there.
    labels
        Its labels, or a failure.
    image
        Of results: all they say of it but the path; None of a table.
    """

    path: str
    labels: list[Label]
    image: dict[str, Any] | None = None


class LabelFile:
    """A file of labels, to be gone through as often as is needed; it is never in memory whole.

    Of MegaDetector's results: for each detection of enough confidence the likeliest species,
    or where none is likely enough its category; ``empty`` where there is none; what could not
    be processed, with the reason. Of tables: each row, whatever its confidence.

    Parameters
    ----------
    path
        The kind of file is seen from what is in it, not from its name.
    thresholds
        For results only.
    columns
        For tables only.
    """

    def __init__(
        self,
        path: str,
        *,
        thresholds: Thresholds = DEFAULT_THRESHOLDS,
        columns: Columns = DEFAULT_COLUMNS,
    ) -> None:
        self.path = path
        self._input = Input(path)
        self._thresholds = thresholds
        self._columns = columns

    def __iter__(self) -> Iterator[Label]:
        """Yield the labels in the file's order.

        Raises
        ------
        LabelFileError
            When it cannot be read, or is neither of the two kinds.
        """
        return (label for remarks in self.remarks() for label in remarks.labels)

    def remarks(self) -> Iterator[Remarks]:
        """Yield what is said of each image in the file's order.

        Raises
        ------
        LabelFileError
            When it cannot be read, or is neither of the two kinds.
        """
        try:
            header = self.header
            with self._input.opened() as file:
                if header is not None:
                    yield from self._detected(file, header)
                    return
                for label in self._written(file):
                    yield Remarks(label.path, [label])
        except OSError as problem:
            raise self._problem(f"cannot be read: {reason(problem)}") from problem

    def paths(self) -> "Paths":
        """Return the paths that are labelled."""
        return Paths(self)

    @cached_property
    def header(self) -> Header | None:
        """All but the images, of results; None of a table. MegaDetector writes it behind them."""
        try:
            with self._input.opened() as file:
                if not _begins_json(file):
                    return None
                header = header_of(file)
        except OSError as problem:
            raise self._problem(f"cannot be read: {reason(problem)}") from problem
        except JsonError as problem:
            raise self._problem(f"is damaged: {problem}") from problem
        if CATEGORIES not in header:
            raise self._problem(
                f'has no "{CATEGORIES}": expected MegaDetector results (JSON), or CSV with '
                "the columns path and label"
            )
        names = chain(header[CATEGORIES].values(), header.get(SPECIES, {}).values())
        for name in filter(is_image, map(str, names)):
            raise self._problem(f"has a category {name}: that is the name of an image, no label")
        return header

    def _detected(self, file: IO[bytes], header: Header) -> Iterator[Remarks]:
        number = 0
        try:
            reader = Reader(header, self._thresholds)
        except UnicodeEncodeError as problem:
            raise self._problem("is damaged: a category is no valid Unicode") from problem
        try:
            for number, (_, image) in enumerate(pieces(file, ("images",)), 1):
                try:
                    path = path_of(image.pop("file"))
                    labels = list(reader.labels(path, image))
                except (AttributeError, LookupError, TypeError, ValueError) as problem:
                    raise self._problem(
                        f"is not as MegaDetector writes its results at image {number:,}: expected "
                        '"file", and "detections" with a "category" and a "conf" from 0 to 1 '
                        'each, or "failure"'
                    ) from problem
                yield Remarks(path, labels, image)
        except JsonError as problem:
            raise self._problem(f"is damaged after image {number:,}: {problem}") from problem

    def _written(self, file: IO[bytes]) -> Iterator[Label]:
        text, lines = lines_of(file)
        try:
            yield from labels_in(next(lines, ""), lines, self._columns, self._media)
        except TableError as problem:
            raise self._problem(str(problem)) from problem
        finally:
            text.detach()  # the file is for whoever opened it to close

    def _media(self) -> Mapping[str, str]:
        """Return the files of the media that observations of Camtrap DP are of."""
        path = os.path.join(os.path.dirname(self.path), MEDIA)
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
    """The paths of a label file, to be gone through as often as is needed."""

    def __init__(self, labels: LabelFile) -> None:
        self._labels = labels

    def __iter__(self) -> Iterator[str]:
        """Yield the path of each label, once where several follow each other."""
        return (path for path, _ in groupby(remarks.path for remarks in self._labels.remarks()))


def _begins_json(file: IO[bytes]) -> bool:
    """Say whether a file begins as JSON does, whole or not."""
    start = file.tell()
    head = file.read(4096)
    file.seek(start)
    return head.lstrip()[:1] in (b"{", b"[")
