"""The report: a sample as one page to look at, laid out by its template."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from plotly.offline import get_plotlyjs

from sdindex.archive.names import printable
from sdindex.exchange.records import quality_for_people
from sdindex.exchange.tables import shown
from sdindex.hashing.bits import from_hex
from sdindex.pages import charts
from sdindex.pages.report_data import Group, ReportData
from sdindex.pages.sentences import beside, is_plain, sentences
from sdindex.pages.sheet import even, lacking, pictures, rendered, source, text_of, tile
from sdindex.pages.thumbnails import Thumbnail
from sdindex.store.sampled import SampledImage

MAP_SIDE, MAP_KEPT = 140, 2000  # pixels of pictures left out; points that a browser draws easily
CHART_CAMERAS = 30
CHART_BUCKETS = 64
CHART_DAYS = 400
STRAY_DAYS, STRAY_SHARE = 366, 0.02
_TICKS = 6  # a stretch of the axis of times shorter than this fraction has one tick

_NAMELESS = {"bucket": "all", "label": "no label", "day": "no time"}

_Key = tuple[str, str]  # an image: its archive's root and its path


def page(
    data: ReportData,
    *,
    thumbnails: int,
    pixels: int,
    workers: int,
    progress: bool | None,
    say: Callable[[str], object] | None,
) -> str:
    """Return the report as HTML; see `sdindex.Index.report`."""
    sample = data.sample
    shown = even(sample, thumbnails)
    hidden = even(data.left_out, thumbnails)
    made = pictures(
        [(image, pixels) for image in shown] + [(image, MAP_SIDE) for image in hidden],
        workers,
        progress,
    )
    sheet, small = made[: len(shown)], made[len(shown) :]
    problems = [*data.origin.lost, *lacking([*zip(shown, sheet, strict=True)])]
    if say is not None:
        for problem in problems:
            say(f"warning: {problem}")
    return rendered(
        "report.html.j2",
        plotly=get_plotlyjs(),
        look=text_of("look.css"),
        origin=_origin(data),
        problems=problems,
        figures=_figures(data),
        tiles=_tiles(data, shown, sheet),
        sheets=_sheets(data, len(shown)),
        sampled=len(sample),
        notes=_notes(data),
        quality=_quality(data),
        charts=_charts(data),
        points=_points(
            data,
            {_key(image): _identity(number) for number, image in enumerate(shown)},
            {_key(image): source(picture) for image, picture in zip(hidden, small, strict=True)},
        ),
    )


def _origin(data: ReportData) -> dict[str, Any]:
    """Return the head of the report: what it shows, in words."""
    origin, images = data.origin, len(data.sample)
    said = [*sentences(origin.options)]
    if origin.name is not None:
        said.append(beside(origin.options, origin.drawn_from))
    if origin.missing:
        said.append(f"{origin.missing:,} of its images are missing or unreadable now.")
    elif images < origin.asked and origin.options.at_most is None:
        said.append(f"{origin.asked:,} were asked for; these are all there are.")
    return {
        "name": origin.name,
        "command": printable(origin.command),
        "made_at": f"{origin.made_at:%Y-%m-%d %H:%M} UTC",
        "program": origin.program,
        "archives": [printable(root) for root in data.archives],
        "sentences": said,
    }


def _figures(data: ReportData) -> list[tuple[str, str, str]]:
    """Return the sample's figures: what is counted, the number, and of how many."""
    buckets, origin = data.buckets, data.origin
    measures = data.quality.measures if data.quality else ()
    whole = sum(bucket.keeps == bucket.images for bucket in buckets)
    of_buckets = [
        (f"{whole:,}", f"of {len(buckets):,}", "buckets whole"),
        (f"{len(buckets) - whole:,}", f"of {len(buckets):,}", "buckets trimmed"),
    ]
    return [
        (f"{len(data.sample):,}", f"of {data.images:,}", "images"),
        *(of_buckets if is_plain(origin.options) and origin.name is None else []),
        *(
            (f"{measure.sample:,}", f"of {measure.of:,}", measure.measure)
            for measure in measures
            if measure.measure in ("cameras", "days")
            or (measure.measure == "labels" and measure.of)
        ),
    ]


def _tiles(
    data: ReportData, shown: Sequence[SampledImage], sheet: Sequence[Thumbnail]
) -> list[dict[str, Any]]:
    """Return the tiles of the contact sheet, one for each image."""
    bursts = even(data.bursts, len(shown))
    return [
        {
            **tile(image, picture),
            "identity": _identity(number),
            "burst": burst.number,
            "of_burst": f"sampled: {burst.sampled:,} of the {burst.images:,} images of its burst"
            if burst.images > 1
            else "",
        }
        for number, (image, picture, burst) in enumerate(zip(shown, sheet, bursts, strict=True))
    ]


def _sheets(data: ReportData, shown: int) -> dict[str, list[tuple[str, int, int, list[int]]]]:
    """Return, by grouping, the groups of the sheet: name, sampled images, images, tiles."""
    tile_of = {at: number for number, at in enumerate(even(range(len(data.sample)), shown))}
    name_of = data.naming.camera

    def told(by: str, group: Group) -> tuple[str, int, int, list[int]]:
        name = group.name or _NAMELESS.get(by, "")
        if by == "camera":  # with several archives, their names are put before
            name = name_of(data.sample[group.members[0]])
        tiles = [tile_of[at] for at in group.members if at in tile_of]
        return printable(name), len(group.members), group.images, tiles

    found = {by: [told(by, group) for group in groups] for by, groups in data.sheets.items()}
    return {by: [group for group in groups if group[3]] for by, groups in found.items()}


def _quality(data: ReportData) -> dict[str, Any] | None:
    """Return the table of quality; None without images."""
    if data.quality is None:
        return None
    rows = [list(map(shown, row)) for row in quality_for_people(data.quality).rows]
    return {"rows": rows, "note": data.quality.note, "distance": data.quality.distance}


def _notes(data: ReportData) -> dict[str, str]:
    """Return, for each chart, a note on what it leaves out."""
    notes = {"buckets": "", "time": "", "map": ""}
    if len(data.buckets) > CHART_BUCKETS:
        notes["buckets"] = f"The {CHART_BUCKETS} largest of {len(data.buckets):,} buckets."
    time = []
    if data.undated:
        time.append(f"{data.undated:,} images have no EXIF time and are not shown here.")
    if stray := stray_days(data.cells):
        years = ", ".join(map(str, sorted({day.year for day in stray})))
        images = sum(count for (_, day), count in data.cells.items() if day in stray)
        many = "1 image is" if images == 1 else f"{images:,} images are"
        time.append(f"{many} a year or more from all others ({years}), and not shown here.")
    if gaps_between(data.cells):
        time.append("Years without images are left out of the axis.")
    notes["time"] = " ".join(time)
    drawn = min(len(data.sample), MAP_KEPT) + len(data.left_out)
    if drawn < data.images:
        notes["map"] = f"An even subset: {drawn:,} of {data.images:,} images."
    return notes


def _charts(data: ReportData) -> dict[str, Any]:
    largest = sorted(data.buckets, key=lambda bucket: -bucket.images)[:CHART_BUCKETS]
    drawn = sorted(largest, key=lambda bucket: bucket.bucket)
    bars = charts.bucket_bars(
        [bucket.bits for bucket in drawn],
        [bucket.keeps for bucket in drawn],
        [bucket.images - bucket.keeps for bucket in drawn],
    )
    points = _map_points(data)
    hashes = [from_hex(image.dhash) for image in points]
    coordinates = charts.map_hashes(charts.hash_bits(hashes))
    kept = np.arange(len(points)) < len(points) - len(data.left_out)
    figures = {
        **({"labels": charts.label_curve(data.labels)} if data.labels else {}),
        "buckets": bars,
        "time": _time_chart(data),
        "map": charts.hash_map(coordinates, kept),
    }
    return {name: json.loads(str(figure.to_json())) for name, figure in figures.items()}


def _time_chart(data: ReportData) -> Any:
    """Return the chart of the largest cameras by day, or over a long time by month."""
    stray = stray_days(data.cells)
    near = {cell: images for cell, images in data.cells.items() if cell[1] not in stray}
    dated = {camera for camera, _ in near}
    ranked = [name for name, _ in data.cameras.most_common() if name in dated]
    named = ranked if len(ranked) <= CHART_CAMERAS else ranked[: CHART_CAMERAS - 1]
    others = "" if named is ranked else f"{len(ranked) - len(named):,} others"
    rows = sorted(named) + ([others] if others else [])
    row_of = {name: rows.index(name if name in named else others) for name in ranked}
    days = {day for _, day in near}
    by_month = len(days) > CHART_DAYS
    cells: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0])
    for (camera, day), images in near.items():
        cell = cells[row_of[camera], f"{day.isoformat()[:7]}-01" if by_month else day.isoformat()]
        cell[0] += images
        cell[1] += data.sampled_cells[camera, day]
    return charts.time_bubbles(
        [printable(name) for name in rows],
        [(row, day, images, sampled) for (row, day), (images, sampled) in sorted(cells.items())],
        gaps_between(near),
        _ticks(near),
    )


def stray_days(cells: Mapping[tuple[str, date], int]) -> set[date]:
    """Return the days of images that are few and a year or more from all others."""
    by_day = Counter[date]()
    for (_, day), images in cells.items():
        by_day[day] += images
    few = STRAY_SHARE * by_day.total()
    runs = _runs(by_day)
    return {day for run in runs if sum(by_day[day] for day in run) < few for day in run}


def gaps_between(cells: Mapping[tuple[str, date], int]) -> list[tuple[date, date]]:
    """Return the gaps of an axis of times: most of each year or more without images."""
    stray = stray_days(cells)
    runs = _runs({day for _, day in cells} - stray)
    days = sum((run[-1] - run[0]).days for run in runs)
    gaps = []
    for before, after in pairwise(runs):
        edge = min(max(31, days // 20), (after[0] - before[-1]).days // 3)
        gaps.append((before[-1] + timedelta(edge), after[0] - timedelta(edge)))
    return gaps


def _ticks(cells: Mapping[tuple[str, date], int]) -> list[date]:
    """Return the first day of each stretch between gaps, and the last day of a long one."""
    runs = _runs({day for _, day in cells})
    few = sum((run[-1] - run[0]).days for run in runs) / _TICKS
    return [day for run in runs for day in run[:: max(1, len(run) - 1)]
            if day == run[0] or (day - run[0]).days > few]  # fmt: skip


def _runs(days: Iterable[date]) -> list[list[date]]:
    """Return runs of days, in order; between two runs lies a year or more without images."""
    runs: list[list[date]] = []
    for day in sorted(days):
        if not runs or (day - runs[-1][-1]).days > STRAY_DAYS:
            runs.append([])
        runs[-1].append(day)
    return runs


def _map_points(data: ReportData) -> list[SampledImage]:
    """Return the images on the map: sampled ones, then those left out."""
    return even(data.sample, MAP_KEPT) + data.left_out


def _points(
    data: ReportData, tiles: dict[_Key, str], small: dict[_Key, str | None]
) -> list[dict[str, str | None]]:
    """Return, for each point of the map, its path, and its picture or the tile with the picture."""
    return [
        {
            "path": printable(image.relative_path),
            "tile": tiles.get(_key(image)),
            "source": small.get(_key(image)),
        }
        for image in _map_points(data)
    ]


def _key(image: SampledImage) -> _Key:
    return image.archive, image.relative_path


def _identity(number: int) -> str:
    """Return the HTML id of a tile of the contact sheet."""
    return f"tile{number}"
