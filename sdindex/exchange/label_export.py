"""Writing labels and boxes as MegaDetector's results, under the images' present paths."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from sdindex.archive.names import printable
from sdindex.errors import SampleError
from sdindex.exchange.detections import (
    CATEGORIES,
    EMPTY,
    INFO,
    Header,
    Renumbering,
    as_record,
    joined,
)
from sdindex.exchange.naming import Naming
from sdindex.store import labels, results
from sdindex.store.database import Session
from sdindex.store.fetching import PARAMETERS, batched
from sdindex.store.results import SaidAlone
from sdindex.store.sampled import archives_of, located

_WHOLE = (0, 0, 1, 1)  # the box of a label that has none: the format wants one
_OURS = {"format_version": "1.6", "detector": "sdindex labels export"}


@dataclass
class LabelExport:
    """The result of an export: `images` written, with labels of `sources`; others without any."""

    sources: Sequence[str]
    images: int = 0
    unlabelled: int = 0

    def __str__(self) -> str:
        text = f"{self.images:,} images written with what is said by {', '.join(self.sources)}"
        if self.unlabelled:
            text += f"; {self.unlabelled:,} have no labels, and are left out"
        return printable(text)


def export_labels(
    session: Session,
    output: IO[bytes],
    ids: Collection[int] | None = None,
    *,
    sources: Sequence[str] = (),
    relative: bool = False,
) -> LabelExport:
    """Write the labels and boxes of images, as they are fetched.

    Results that were imported are written as they were. A label without results becomes a
    detection of a category of its own.

    Parameters
    ----------
    ids
        The ids of the images; by default all present ones.
    sources
        Only labels of these; by default all.
    relative
        Write relative paths also where the images are of several archives, each below a folder
        of its own; those of a single archive are always relative.

    Raises
    ------
    SampleError
        When there are no labels, or none of one of the sources.
    """
    labels.require_sources(session, sources)
    done = LabelExport(list(sources) or labels.sources(session))
    if not done.sources:
        raise SampleError("the index has no labels; read some with: sdindex labels import FILE")
    said = _Said(session, done.sources)
    roots = archives_of(session, ids)
    naming = Naming(roots) if relative or len(roots) == 1 else None
    output.write(b"{\n")
    for name, content in said.header.items():
        output.write(f"{json.dumps(name)}: {json.dumps(content)},\n".encode("ascii"))
    output.write(b'"images": [')
    before = b"\n"
    for chunk in batched(_all(session, done) if ids is None else ids, PARAMETERS):
        records = said.of(chunk)
        for image in located(session, [row_id for row_id in chunk if row_id in records]):
            path = image.path if naming is None else naming.path(image)
            output.write(before + _line(path, records[image.id]).encode("ascii"))
            before = b",\n"
        done.images += len(records)
        done.unlabelled += len(chunk) - len(records)
    output.write(b"\n]}\n")
    return done


def _all(session: Session, done: LabelExport) -> Sequence[int]:
    from sdindex.store.labelled import labelled_ids  # numpy

    return labelled_ids(session, done.sources)


class _Said:
    """The labels of sources, as records of one results file.

    Attributes
    ----------
    header
        All but the images.
    """

    def __init__(self, session: Session, sources: Sequence[str]) -> None:
        self._session, self._sources = session, sources
        self._renumberings: dict[str, Renumbering] = {}
        self.header: Header = {}
        for source in sources:
            header = results.header_of(session, source)
            if header is not None:
                self.header, self._renumberings[source] = joined(self.header, header)
        if len(sources) > 1 or not self._renumberings:
            self.header[INFO] = {**_OURS}
        categories = self.header.setdefault(CATEGORIES, {})
        alone = results.labels_alone(session, sources)
        self._is_alone = set(sources) > self._renumberings.keys() or bool(alone)
        self._numbers = {str(name): number for number, name in categories.items()}
        free = 1 + max((int(number) for number in categories if number.isdecimal()), default=0)
        for name in alone:
            if name != EMPTY and name not in self._numbers:
                self._numbers[name] = str(free)
                categories[str(free)] = name
                free += 1

    def of(self, ids: Sequence[int]) -> dict[int, str]:
        """Return the records of images, without paths, by image id."""
        found: dict[int, list[str | dict[str, Any]]] = defaultdict(list)
        for source, renumbering in self._renumberings.items():
            for row_id, data in results.of_images(self._session, ids, source).items():
                found[row_id].append(renumbering.of(json.loads(data)) if renumbering else data)
        for row_id, record in self._alone(ids):
            found[row_id].append(record)
        return {row_id: _one(records) for row_id, records in found.items()}

    def _alone(self, ids: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield records of labels and failures that have no results."""
        of_image: dict[int, list[SaidAlone]] = defaultdict(list)
        for said in results.said_alone(self._session, ids, self._sources):
            of_image[said.image_id].append(said)
        for row_id, remarks in of_image.items():
            failures = [said.failure for said in remarks if said.failure is not None]
            if len(failures) == len(remarks):
                yield row_id, {"failure": failures[0], "detections": None}
            else:
                yield row_id, {"detections": [*self._detections(remarks)]}

    def _detections(self, remarks: Iterable[SaidAlone]) -> Iterator[dict[str, Any]]:
        for said in remarks:
            if said.label is not None and said.label != EMPTY:
                yield {
                    "category": self._numbers[said.label],
                    "conf": 1.0 if said.confidence is None else said.confidence,
                    "bbox": [*_WHOLE] if said.bbox is None else json.loads(said.bbox),
                }


def _one(records: Sequence[str | dict[str, Any]]) -> str:
    """Join the records of an image into one, with all their detections."""
    if len(records) == 1:
        return records[0] if isinstance(records[0], str) else as_record(records[0])
    read = [json.loads(record) if isinstance(record, str) else record for record in records]
    if all(record.get("detections") is None for record in read):
        return as_record(read[0])
    seen = [record for record in read if record.get("detections") is not None]
    every = [detection for record in seen for detection in record["detections"]]
    return as_record({**seen[0], "detections": every})


def _line(path: str, record: str) -> str:
    """Return a record with its path put in; a record is the JSON of an object that is not empty."""
    return f'{{"file": {json.dumps(path)}, {record[1:]}'
