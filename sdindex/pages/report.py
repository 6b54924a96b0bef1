"""The report: a sample as one page to look at, gathered here and laid out by the template."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from plotly.offline import get_plotlyjs

from sdindex.archive.names import from_text, printable
from sdindex.exchange.lists import resolve
from sdindex.exchange.naming import Naming
from sdindex.exchange.records import quality_for_people
from sdindex.exchange.tables import shown
from sdindex.hashing.bits import from_hex
from sdindex.pages import charts
from sdindex.pages.sheet import even, pictures, rendered, source
from sdindex.pages.thumbnails import Thumbnail
from sdindex.sampling.blocks import NO_TIME
from sdindex.sampling.count import Count, images_wanted
from sdindex.sampling.frame import Frame, Numbers, as_date, days, needed
from sdindex.sampling.options import SampleOptions
from sdindex.sampling.quality import QUALITY_COLUMNS, Quality, quality
from sdindex.sampling.reached import LabelsReached, labels_reached
from sdindex.sampling.sample import Candidates, draw
from sdindex.sampling.trim import stride
from sdindex.store import archives, selection
from sdindex.store.candidates import candidates
from sdindex.store.database import Session
from sdindex.store.sampled import Heard, SampledImage, by_id

SHEET_SIDE, MAP_SIDE = 360, 140  # pixels: in the contact sheet, and of what is left out
# What a browser draws with ease.
MAP_KEPT, MAP_LEFT = 2000, 4000
CHART_CAMERAS = 30
CHART_BUCKETS = 64
CHART_DAYS = 400
CURVE_POINTS = 16

_Key = tuple[str, str]  # an image: its archive's root and its path


class _Bucket(NamedTuple):
    """A bucket: its number and bits, its images, and how many of them the sample has."""

    bucket: int
    bits: str
    images: int
    keeps: int


@dataclass(frozen=True)
class Gathered:
    """The sample, counts of what it is drawn from, and an even subset of those left out."""

    count: int
    bits: int
    sample: list[SampledImage]
    left_out: list[SampledImage]
    quality: Quality | None
    labels: list[LabelsReached]
    buckets: list[_Bucket]
    undated: int
    cameras: "Counter[str]"
    cells: "Counter[tuple[str, date]]"
    sampled_cells: "Counter[tuple[str, date]]"

    @property
    def images(self) -> int:
        """How many images there are to draw from, the sample's among them."""
        return sum(bucket.images for bucket in self.buckets)


def gather(session: Session, count: Count, options: SampleOptions) -> Gathered:
    """Draw the sample, and count what it is drawn from."""
    found = candidates(session, options, QUALITY_COLUMNS, resolve(session, options))
    frame, asked = found.frame, images_wanted(count, len(found))
    drawn = draw(found, asked).positions
    others = np.delete(np.arange(len(frame)), drawn)
    shown = others[stride(len(others), min(len(others), MAP_LEFT))]
    heard = Heard(options.sources, options.min_confidence or 0)
    sample, left_out = (
        by_id(session, frame.ids[some].tolist(), found.leading, heard=heard)
        for some in (drawn, shown)
    )
    cameras, times = needed(frame.cameras), needed(frame.times)
    names = _camera_names(session, cameras.names)
    by_camera = Counter[str]()
    counted = np.bincount(cameras.numbers, minlength=len(names)).tolist()
    for name, images in zip(names, counted, strict=True):
        by_camera[name] += images
    dated, on_days = times != NO_TIME, days(times)
    dated_drawn = drawn[dated[drawn]]
    return Gathered(
        count=asked,
        bits=options.bits,
        sample=sample,
        left_out=left_out,
        quality=quality(found, drawn, distance=options.burst_distance, sizes=False)
        if len(drawn)
        else None,
        labels=_labels(found, len(drawn)),
        buckets=_buckets(frame, drawn, found.leading),
        undated=len(frame) - int(dated.sum()),
        cameras=+by_camera,
        cells=_cells(cameras.numbers[dated], on_days[dated], names),
        sampled_cells=_cells(cameras.numbers[dated_drawn], on_days[dated_drawn], names),
    )


def _labels(found: Candidates, count: int) -> list[LabelsReached]:
    """Return how many labels samples reach: smaller ones, this one, and up to four times larger.

    In larger ones, what has fixed shares may not be there.
    """
    if not count or not len(needed(found.frame.labels).positions):
        return []
    largest = count if found.quotas else 4 * count
    sizes = np.geomspace(1, min(largest, len(found)), CURVE_POINTS)
    return labels_reached(found, [count, *map(int, np.rint(sizes))])


def _buckets(frame: Frame, drawn: Numbers, leading: Sequence[int]) -> list[_Bucket]:
    keeps = Counter(frame.buckets(leading)[drawn].tolist())
    return [
        _Bucket(number, selection.bits_of(number, len(leading)), size, keeps[number])
        for number, size in frame.bucket_sizes(leading)[0].items()
    ]


def _cells(
    cameras: NDArray[np.int32], on_days: Numbers, names: Sequence[str]
) -> Counter[tuple[str, date]]:
    """Return how many images each camera took on each day."""
    found, images = np.unique(np.stack([cameras, on_days]), axis=1, return_counts=True)
    cells = Counter[tuple[str, date]]()
    for camera, day, count in zip(*found.tolist(), images.tolist(), strict=True):
        cells[names[camera], as_date(day)] += count
    return cells


def _camera_names(session: Session, cameras: Sequence[tuple[int, str]]) -> list[str]:
    roots = {archive.id: archive.root for archive in archives.all_archives(session)}
    naming = Naming(roots[archive_id] for archive_id, _ in cameras)
    return [
        naming.camera_name(roots[archive_id], from_text(camera)) for archive_id, camera in cameras
    ]


def page(gathered: Gathered, *, thumbnails: int, workers: int, progress: bool | None) -> str:
    """Return the report as HTML; see `sdindex.Index.report`."""
    sample = gathered.sample
    shown = even(sample, thumbnails)
    hidden = even(gathered.left_out, thumbnails)
    made = pictures(
        [(image, SHEET_SIDE) for image in shown] + [(image, MAP_SIDE) for image in hidden],
        workers,
        progress,
    )
    sheet, small = made[: len(shown)], made[len(shown) :]
    return rendered(
        "report.html.j2",
        plotly=get_plotlyjs(),
        bits=gathered.bits,
        count=gathered.count,
        figures=_figures(gathered),
        groups=_groups(shown, sheet, gathered.buckets),
        shown=len(shown),
        sampled=len(sample),
        notes=_notes(gathered),
        quality=_quality(gathered),
        charts=_charts(gathered),
        points=_points(
            gathered,
            {_key(image): _identity(number) for number, image in enumerate(shown)},
            {_key(image): source(picture) for image, picture in zip(hidden, small, strict=True)},
        ),
    )


def _figures(gathered: Gathered) -> list[tuple[str, str, str]]:
    """Return the sample in figures: each a number, beside how many there are, and of what."""
    buckets, measures = gathered.buckets, gathered.quality.measures if gathered.quality else ()
    whole = sum(bucket.keeps == bucket.images for bucket in buckets)
    return [
        (f"{len(gathered.sample):,}", f"of {gathered.images:,}", "images"),
        (f"{whole:,}", f"of {len(buckets):,}", "buckets whole"),
        (f"{len(buckets) - whole:,}", f"of {len(buckets):,}", "buckets trimmed"),
        *(
            (f"{measure.sample:,}", f"of {measure.of:,}", measure.measure)
            for measure in measures
            if measure.measure in ("cameras", "days")
            or (measure.measure == "labels" and measure.of)
        ),
    ]


def _quality(gathered: Gathered) -> dict[str, Any] | None:
    """Return the sample's figures beside others'; nothing where there is no image."""
    if gathered.quality is None:
        return None
    rows = [list(map(shown, row)) for row in quality_for_people(gathered.quality).rows]
    return {"rows": rows, "note": gathered.quality.note, "distance": gathered.quality.distance}


def _groups(
    shown: Sequence[SampledImage], sheet: Sequence[Thumbnail], buckets: Sequence[_Bucket]
) -> list[dict[str, Any]]:
    """Return the contact sheet by bucket, or as a single group where there are many buckets."""
    tiles: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for number, (image, picture) in enumerate(zip(shown, sheet, strict=True)):
        tiles[image.bucket].append(_tile(image, _identity(number), picture))
    if len(buckets) > CHART_BUCKETS:
        every = chain.from_iterable(tiles[bucket] for bucket in sorted(tiles))
        return [{"bucket": None, "tiles": list(every)}]
    return [
        {"bucket": bucket, "tiles": tiles[bucket.bucket]}
        for bucket in buckets
        if bucket.bucket in tiles
    ]


def _tile(image: SampledImage, identity: str, picture: Thumbnail) -> dict[str, Any]:
    moved = "" if image.motion is None else f" · motion {image.motion:.2f}"
    return {
        "identity": identity,
        "path": printable(image.relative_path),
        "taken": image.taken_at.isoformat(" ") if image.taken_at else "no time",
        "details": f"{image.width} x {image.height}{moved}",
        "source": source(picture),
        "error": picture.error,
    }


def _notes(gathered: Gathered) -> dict[str, str]:
    """Return what each chart leaves out, to be said beside it."""
    notes = {"buckets": "", "time": "", "map": ""}
    if len(gathered.buckets) > CHART_BUCKETS:
        notes["buckets"] = f"The {CHART_BUCKETS} largest of {len(gathered.buckets):,} buckets."
    if gathered.undated:
        notes["time"] = f"{gathered.undated:,} images have no EXIF time and are not shown here."
    drawn = min(len(gathered.sample), MAP_KEPT) + len(gathered.left_out)
    if drawn < gathered.images:
        notes["map"] = f"An even subset: {drawn:,} of {gathered.images:,} images."
    return notes


def _charts(gathered: Gathered) -> dict[str, Any]:
    largest = sorted(gathered.buckets, key=lambda bucket: -bucket.images)[:CHART_BUCKETS]
    drawn = sorted(largest, key=lambda bucket: bucket.bucket)
    bars = charts.bucket_bars(
        [bucket.bits for bucket in drawn],
        [bucket.keeps for bucket in drawn],
        [bucket.images - bucket.keeps for bucket in drawn],
    )
    points = _map_points(gathered)
    hashes = [from_hex(image.dhash) for image in points]
    coordinates = charts.map_hashes(charts.hash_bits(hashes))
    kept = np.arange(len(points)) < len(points) - len(gathered.left_out)
    figures = {
        **({"labels": charts.label_curve(gathered.labels)} if gathered.labels else {}),
        "buckets": bars,
        "time": _time_chart(gathered),
        "map": charts.hash_map(coordinates, kept),
    }
    return {name: json.loads(str(figure.to_json())) for name, figure in figures.items()}


def _time_chart(gathered: Gathered) -> Any:
    """Return the bubbles of the largest cameras, by day, or by month over a long time."""
    dated = {camera for camera, _ in gathered.cells}
    ranked = [name for name, _ in gathered.cameras.most_common() if name in dated]
    named = ranked if len(ranked) <= CHART_CAMERAS else ranked[: CHART_CAMERAS - 1]
    others = "" if named is ranked else f"{len(ranked) - len(named):,} others"
    rows = sorted(named) + ([others] if others else [])
    row_of = {name: rows.index(name if name in named else others) for name in ranked}
    days = {day for _, day in gathered.cells}
    by_month = len(days) > CHART_DAYS
    cells: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
    for (camera, day), images in gathered.cells.items():
        cell = cells[row_of[camera], f"{day.isoformat()[:7]}-01" if by_month else day.isoformat()]
        cell[0] += images
        cell[1] += gathered.sampled_cells[camera, day]
    return charts.time_bubbles(
        [printable(name) for name in rows],
        [(row, day, images, sampled) for (row, day), (images, sampled) in sorted(cells.items())],
    )


def _map_points(gathered: Gathered) -> list[SampledImage]:
    """Return the images of the map: those kept, then those left out."""
    return even(gathered.sample, MAP_KEPT) + gathered.left_out


def _points(
    gathered: Gathered, tiles: dict[_Key, str], small: dict[_Key, str | None]
) -> list[dict[str, str | None]]:
    """Return what the map shows of each point: its path, and a picture or the tile that has it."""
    return [
        {
            "path": printable(image.relative_path),
            "tile": tiles.get(_key(image)),
            "source": small.get(_key(image)),
        }
        for image in _map_points(gathered)
    ]


def _key(image: SampledImage) -> _Key:
    return image.archive, image.relative_path


def _identity(number: int) -> str:
    """Return the name in the page of a tile of the contact sheet."""
    return f"tile{number}"
