"""The report: a sample as one page to look at, gathered here and laid out by the template."""

import json
import os
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import date, datetime
from importlib.resources import files
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import sqlalchemy as sa
from jinja2 import Environment, StrictUndefined
from plotly.offline import get_plotlyjs

from sdindex import charts, selection
from sdindex.buckets import stride
from sdindex.candidates import drawable
from sdindex.database import Store
from sdindex.models import archive, image
from sdindex.names import from_text, printable
from sdindex.options import SampleOptions
from sdindex.progress import bar
from sdindex.sampling_order import available
from sdindex.scan import reason
from sdindex.selection import Bucket, SampledImage
from sdindex.thumbnails import Thumbnail, thumbnail
from sdindex.update import DEFAULT_TIMEOUT
from sdindex.workers import IN_FLIGHT_PER_WORKER, Workers, completed

SHEET_SIDE, MAP_SIDE = 360, 140  # pixels: in the contact sheet, and of what is left out
# What a browser draws with ease.
MAP_KEPT, MAP_LEFT = 2000, 4000
CHART_CAMERAS = 30
CHART_BUCKETS = 64
CHART_DAYS = 400

_Key = tuple[str, str]  # an image: its archive's root and its path


@dataclass
class Gathered:
    """The sample, and all that can be sampled in counts and an even subset."""

    count: int
    bits: int
    sample: list[SampledImage]
    buckets: list[Bucket]
    images: int = 0
    undated: int = 0
    cells: "Counter[tuple[str, date]]" = field(default_factory=Counter)
    sampled_cells: "Counter[tuple[str, date]]" = field(default_factory=Counter)
    cameras: "Counter[str]" = field(default_factory=Counter)
    sampled_cameras: "Counter[str]" = field(default_factory=Counter)
    left: "list[tuple[_Key, int]]" = field(default_factory=list)
    kept: "list[tuple[_Key, int]]" = field(default_factory=list)


def gather(store: Store, connection: sa.Connection, count: int, options: SampleOptions) -> Gathered:
    """Draw the sample, and count what it is drawn from, in one pass over the index."""
    sample = selection.select(store, connection, count, options)
    condition = available() if options.fixes else drawable(connection, options)
    buckets = selection.buckets_of(connection, options.bits, condition, sample)
    gathered = Gathered(count, options.bits, sample, buckets)
    sampled = {_key(one) for one in sample}
    several = len({one.archive for one in sample}) > 1
    left = sum(one.images for one in buckets) - len(sample)
    shown = set(stride(left, min(left, MAP_LEFT)))
    place = 0
    for row in _all_images(connection, condition):
        stored_root, stored_path, dhash, taken_at, camera = row
        key = (os.path.normpath(from_text(stored_root)), from_text(stored_path))
        name = _camera(key[0], from_text(camera), several=several)
        _count(gathered, name, taken_at, is_sampled=key in sampled)
        if key in sampled:
            gathered.kept.append((key, dhash))
        else:
            if place in shown:
                gathered.left.append((key, dhash))
            place += 1
    return gathered


def page(gathered: Gathered, *, thumbnails: int, workers: int, progress: bool | None) -> str:
    """Return the report as HTML; see `sdindex.Index.report`."""
    sample = gathered.sample
    shown = _even(sample, thumbnails)
    hidden = _even(gathered.left, thumbnails)
    pictures = _pictures(
        [(one.path, SHEET_SIDE) for one in shown]
        + [(os.path.join(*key), MAP_SIDE) for key, _ in hidden],
        workers,
        progress,
    )
    sheet, small = pictures[: len(shown)], pictures[len(shown) :]
    return _rendered(
        bits=gathered.bits,
        count=gathered.count,
        figures=_figures(gathered),
        groups=_groups(shown, sheet, gathered.buckets),
        shown=len(shown),
        sampled=len(sample),
        notes=_notes(gathered),
        charts=_charts(gathered),
        points=_points(
            gathered,
            {_key(one): _identity(place) for place, one in enumerate(shown)},
            {key: _source(picture) for (key, _), picture in zip(hidden, small, strict=True)},
        ),
    )


def _all_images(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> Iterable[Any]:
    return connection.execute(
        sa.select(archive.c.root, image.c.path, image.c.dhash, image.c.taken_at, image.c.camera)
        .join(archive, archive.c.id == image.c.archive_id)
        .where(condition)
        .order_by(image.c.archive_id, image.c.path)
        .execution_options(yield_per=10_000)
    )


def _count(gathered: Gathered, camera: str, taken_at: datetime | None, *, is_sampled: bool) -> None:
    gathered.images += 1
    gathered.cameras[camera] += 1
    gathered.sampled_cameras[camera] += is_sampled
    if taken_at is None:
        gathered.undated += 1
    else:
        gathered.cells[camera, taken_at.date()] += 1
        gathered.sampled_cells[camera, taken_at.date()] += is_sampled


def _camera(root: str, camera: str, *, several: bool) -> str:
    if several or not camera:
        return f"{PurePosixPath(root).name}/{camera}".rstrip("/")
    return camera


def _pictures(
    wanted: Sequence[tuple[str, int]], workers: int, progress: bool | None
) -> list[Thumbnail]:
    """Make thumbnails side by side; one that cannot be made is a reason in its place."""
    made: list[Thumbnail] = [Thumbnail(None, "not made")] * len(wanted)
    if not wanted:
        return made
    with (
        Workers(workers, DEFAULT_TIMEOUT) as pool,
        bar(len(wanted), "thumbnails", show=progress) as shown,
    ):

        def submit(place: int) -> "Future[Thumbnail]":
            return pool.submit(thumbnail, *wanted[place])

        jobs = iter(range(len(wanted)))
        in_flight = workers * IN_FLIGHT_PER_WORKER
        for done in completed(jobs, submit, in_flight=in_flight, wait_seconds=1.0):
            if done is not None:
                place, future = done
                made[place] = _made(future)
                shown.update()
    return made


def _made(future: "Future[Thumbnail]") -> Thumbnail:
    problem = future.exception()
    if problem is None:
        return future.result()
    if isinstance(problem, FileNotFoundError):
        return Thumbnail(None, "the file is not there")
    if isinstance(problem, OSError):
        return Thumbnail(None, f"cannot be read: {reason(problem)}")
    return Thumbnail(None, "crashed the decoder")


def _figures(gathered: Gathered) -> list[tuple[str, str, str]]:
    """Return the sample in figures: each a number, beside how many there are, and of what."""
    sample, buckets = gathered.sample, gathered.buckets
    whole = sum(one.keeps == one.images for one in buckets)
    days = {day for _, day in gathered.cells}
    sampled_days = {day for (_, day), images in gathered.sampled_cells.items() if images}
    return [
        (f"{len(sample):,}", f"of {gathered.images:,}", "images"),
        (f"{whole:,}", f"of {len(buckets):,}", "buckets whole"),
        (f"{len(buckets) - whole:,}", f"of {len(buckets):,}", "buckets trimmed"),
        (
            f"{sum(map(bool, gathered.sampled_cameras.values())):,}",
            f"of {len(gathered.cameras):,}",
            "cameras",
        ),
        (f"{len(sampled_days):,}", f"of {len(days):,}", "days"),
    ]


def _groups(
    shown: Sequence[SampledImage], sheet: Sequence[Thumbnail], buckets: Sequence[Bucket]
) -> list[dict[str, Any]]:
    """Return the contact sheet by bucket; one group where there are too many buckets."""
    tiles: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for place, (one, picture) in enumerate(zip(shown, sheet, strict=True)):
        tiles[one.bucket].append(_tile(one, _identity(place), picture))
    if len(buckets) > CHART_BUCKETS:
        every = chain.from_iterable(tiles[number] for number in sorted(tiles))
        return [{"bucket": None, "tiles": list(every)}]
    return [{"bucket": one, "tiles": tiles[one.bucket]} for one in buckets if one.bucket in tiles]


def _tile(one: SampledImage, identity: str, picture: Thumbnail) -> dict[str, Any]:
    return {
        "identity": identity,
        "path": printable(one.relative_path),
        "taken": one.taken_at.isoformat(" ") if one.taken_at else "no time",
        "size": f"{one.width} x {one.height}",
        "source": _source(picture),
        "error": picture.error,
    }


def _notes(gathered: Gathered) -> dict[str, str]:
    """Return what each chart leaves out, to be said beside it."""
    notes = {"buckets": "", "time": "", "map": ""}
    if len(gathered.buckets) > CHART_BUCKETS:
        notes["buckets"] = f"The {CHART_BUCKETS} largest of {len(gathered.buckets):,} buckets."
    if gathered.undated:
        notes["time"] = f"{gathered.undated:,} images have no EXIF time and are not shown here."
    drawn = min(len(gathered.kept), MAP_KEPT) + len(gathered.left)
    if drawn < gathered.images:
        notes["map"] = f"An even subset: {drawn:,} of {gathered.images:,} images."
    return notes


def _charts(gathered: Gathered) -> dict[str, Any]:
    largest = sorted(gathered.buckets, key=lambda one: -one.images)[:CHART_BUCKETS]
    drawn = sorted(largest, key=lambda one: one.bucket)
    bars = charts.bucket_bars(
        [one.bits for one in drawn],
        [one.keeps for one in drawn],
        [one.images - one.keeps for one in drawn],
    )
    points = _map_points(gathered)
    places = charts.map_hashes(charts.hash_bits([dhash for _, dhash, _ in points]))
    kept = np.array([is_kept for _, _, is_kept in points], dtype=bool)
    figures = {
        "buckets": bars,
        "time": _time_chart(gathered),
        "map": charts.hash_map(places, kept),
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


def _map_points(gathered: Gathered) -> list[tuple[_Key, int, bool]]:
    kept = [(key, dhash, True) for key, dhash in _even(gathered.kept, MAP_KEPT)]
    return kept + [(key, dhash, False) for key, dhash in gathered.left]


def _points(
    gathered: Gathered, tiles: dict[_Key, str], small: dict[_Key, str | None]
) -> list[dict[str, str | None]]:
    """Return what the map shows of each point: its path, and a picture or the tile that has it."""
    return [
        {"path": printable(key[1]), "tile": tiles.get(key), "source": small.get(key)}
        for key, _, _ in _map_points(gathered)
    ]


def _rendered(**content: Any) -> str:
    text = (files("sdindex") / "templates" / "report.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(text).render(plotly=get_plotlyjs(), **content)


def _even(items: Sequence[Any], count: int) -> list[Any]:
    return [items[place] for place in stride(len(items), min(len(items), count))]


def _key(one: SampledImage) -> _Key:
    return one.archive, one.relative_path


def _identity(place: int) -> str:
    """Return the name in the page of a tile of the contact sheet."""
    return f"tile{place}"


def _source(picture: Thumbnail) -> str | None:
    if picture.jpeg is None:
        return None
    return "data:image/jpeg;base64," + b64encode(picture.jpeg).decode("ascii")
