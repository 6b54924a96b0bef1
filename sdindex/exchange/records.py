"""Results of the index as columns and rows, for tables, CSV and JSON alike."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from sdindex.archive.names import to_text
from sdindex.store.sampled import Box, SaidLabel, SampledImage
from sdindex.store.selection import Bucket

if TYPE_CHECKING:
    from sdindex.sampling.quality import Quality

QUALITY_COLUMNS = ("measure", "of", "sample", "random", "stride")
_NO_CELLS = ("boxes", "said")
_PATHS = ("path", "relative_path", "archive", "camera", "burst", "event")
_SIDES = ("x", "y", "width", "height")
_HALF = re.compile("[\ud800-\udfff]")  # a lone surrogate: a byte that is no UTF-8
_SHARES = ("evenness over cameras", "share a burst", "share an event", "near-duplicates")


class Rows(NamedTuple):
    """The names of columns, and the rows, which may be an iterator."""

    columns: Sequence[str]
    rows: Iterable[Sequence[object]]


def of_records(kind: type, records: Iterable[Any]) -> Rows:
    """Return objects of one dataclass as rows; the columns are its fields."""
    columns = _fields(kind)
    return Rows(columns, map(attrgetter(*columns), records))


def of_sample(sample: Iterable[Any], *, relative: bool) -> Rows:
    """Return the images of a sample as rows; `path` is absolute or `relative`."""
    columns = [name for name in _fields(SampledImage) if name not in _NO_CELLS]
    if not relative:
        return Rows(columns, map(attrgetter(*columns), sample))
    columns.remove("relative_path")
    sources = ["relative_path" if name == "path" else name for name in columns]
    return Rows(columns, map(attrgetter(*sources), sample))


def columns_of_images(images: Sequence[SampledImage]) -> dict[str, list[Any]]:
    """Return all that is known of images as columns of plain values, in valid Unicode."""
    plain: dict[str, Callable[[Any], object]]
    plain = {"labels": list, "boxes": _boxes, "said": _said, **dict.fromkeys(_PATHS, _unicode)}
    return {
        name: [plain.get(name, _same)(getattr(image, name)) for image in images]
        for name in _fields(SampledImage)
    }


def _boxes(boxes: Iterable[Box]) -> list[dict[str, Any]]:
    return [box._asdict() for box in boxes]


def _said(said: Iterable[SaidLabel]) -> list[dict[str, Any]]:
    return [
        {**each._asdict(), "box": each.box and dict(zip(_SIDES, each.box[1:], strict=True))}
        for each in said
    ]


def _unicode(path: str | None) -> str | None:
    """Return a path; if it is no valid Unicode, in its stored form."""
    return path if path is None or not _HALF.search(path) else to_text(path)


def _same(value: object) -> object:
    return value


def of_buckets(buckets: Sequence[Bucket]) -> Rows:
    """Return buckets as rows, each with the share of its images that is left out."""

    def rows() -> Iterator[tuple[object, ...]]:
        for bucket in buckets:
            yield (*astuple(bucket), left_out(bucket.keeps, bucket.images))

    return Rows([*_fields(Bucket), "left_out"], rows())


def left_out(keeps: int, images: int) -> float:
    """Return the share of images that is not kept, 0 to 1."""
    return round(1 - keeps / images, 4) if images else 0.0


def of_quality(quality: "Quality") -> Rows:
    """Return a sample's quality as rows, one for each measure."""
    return Rows(QUALITY_COLUMNS, map(astuple, quality.measures))


def quality_for_people(quality: "Quality") -> Rows:
    """Return a sample's quality with shares in percent."""
    return Rows(
        QUALITY_COLUMNS,
        [
            (measure.measure, measure.of, *(f"{value:.0%}" for value in measure.values))
            if measure.measure in _SHARES
            else astuple(measure)
            for measure in quality.measures
        ],
    )


def _fields(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]
