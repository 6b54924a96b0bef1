"""Compare samples of an archive, drawn by sdindex and by others.

How near the nearest sampled image is, how many near-duplicates a sample has, and what it
reaches. For archives of some 10,000 images.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sdindex import Index

SHARES = (0.02, 0.05, 0.1, 0.2, 0.3)
PEER_CALL = """
import json, sys
from smartdownsample import sample_diverse
paths = [line.rstrip("\\n") for line in sys.stdin]
counts = map(int, sys.argv[1:])
print(json.dumps([sample_diverse(paths, n, n_workers=4, show_progress=False) for n in counts]))
"""
OURS: dict[str, Literal["image", "burst"]] = {
    "sdindex --unit image": "image",
    "sdindex --unit burst": "burst",
}
ALL = "SELECT count(*) FROM image WHERE dhash IS NOT NULL AND missing_since IS NULL"
MEAN, SHARE = "mean distance in bits", "near-duplicates"
SHOWN = (MEAN, "greatest distance in bits", SHARE, "buckets", "cameras", "labels")


class Row(NamedTuple):
    """A sample: how many images were asked for, how it was drawn, and its figures by name."""

    images: int
    drawn: str
    figures: dict[str, float]


def compare(archive: Path, labels: Path | None, peer: str | None, page: Path | None) -> None:
    """Print a Markdown table of the samples' figures, and write a page with charts of them.

    Parameters
    ----------
    archive, labels
        A folder of images, and a file of their labels.
    peer
        A Python that has smartdownsample.
    page
        The file to write.
    """
    with tempfile.TemporaryDirectory(prefix="sdindex-compare-") as folder:
        there, rows = measured(Path(folder), archive, labels, peer)
    header = ["images", "drawn by"]
    header += [f"{name} of {there[name]}" if there[name] else name for name in SHOWN]
    cells = [
        [f"{row.images:,}", row.drawn, *(shown(name, row.figures[name]) for name in SHOWN)]
        for row in rows
    ]
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for line in cells:
        print(f"| {' | '.join(line)} |")
    if page:
        write_page(page, archive, header, cells, rows)


def measured(
    folder: Path, archive: Path, labels: Path | None, peer: str | None
) -> tuple[dict[str, int | None], list[Row]]:
    """Return how many buckets, cameras and so on there are, and the samples' figures."""
    there: dict[str, int | None] = {}
    rows = []
    with Index(folder / "sdindex.db") as index:
        index.update(archive)
        if labels is not None:
            index.import_labels(labels)
        with index.sql(ALL) as answer:
            ((images,),) = answer.rows
        counts = [max(1, round(share * images)) for share in SHARES]
        for count, samples in drawn(index, images, counts, peer):
            for way, paths in samples.items():
                name = f"{count} by {way}"
                listed = folder / "sample.json"
                listed.write_text(json.dumps(paths), encoding="utf-8")
                index.select(count, include=listed, save=name)
                found = index.quality(name=name).measures
                there = {one.measure: one.of for one in found}
                rows.append(Row(count, way, {one.measure: one.sample for one in found}))
            for way, figure in (("random, mean of 30", "random"), ("plain stride", "stride")):
                rows.append(Row(count, way, {one.measure: getattr(one, figure) for one in found}))
    return there, rows


def drawn(
    index: Index, images: int, counts: Sequence[int], peer: str | None
) -> Iterator[tuple[int, dict[str, list[str]]]]:
    """Yield for each count the paths of a sample of so many images, by the way it was drawn."""
    everything = index.select(images)  # in natural order
    paths = [one.path for one in everything]
    hashes = np.array([int(one.dhash, 16) for one in everything], np.uint64)
    theirs = of_peer(peer, paths, counts) if peer else {}
    for count in counts:
        samples = {
            way: [one.path for one in index.select(count, unit=unit)] for way, unit in OURS.items()
        }
        samples["greedy k-centre"] = [paths[position] for position in k_centre(hashes, count)]
        if count in theirs:
            samples["smartdownsample 1.1.1"] = theirs[count]
        yield count, samples


def k_centre(hashes: NDArray[np.uint64], count: int) -> list[int]:
    """Return positions: the first, then always the one that is farthest from all before it."""
    chosen = [0]
    least = np.bitwise_count(hashes ^ hashes[0])
    while len(chosen) < count:
        chosen.append(int(least.argmax()))
        np.minimum(least, np.bitwise_count(hashes ^ hashes[chosen[-1]]), out=least)
    return chosen


def of_peer(python: str, paths: Sequence[str], counts: Sequence[int]) -> dict[int, list[str]]:
    """Return what smartdownsample draws of each count."""
    done = subprocess.run(
        [python, "-c", PEER_CALL, *map(str, counts)],
        input="\n".join(paths), text=True, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return dict(zip(counts, json.loads(done.stdout), strict=True))


def shown(name: str, value: float) -> str:
    """Return a figure as it is shown."""
    if name == SHARE:
        return f"{value:.0%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def write_page(
    page: Path,
    archive: Path,
    header: Sequence[str],
    cells: Sequence[Sequence[str]],
    rows: Sequence[Row],
) -> None:
    """Write a page: the mean distance and the near-duplicates by size as lines, and the table."""
    import plotly.graph_objects as go

    text = ""
    for name, title, form in (
        (MEAN, "How far an image is from the nearest sampled one: bits, mean", ".1f"),
        (SHARE, "Sampled images that have a near-duplicate in the sample", ".0%"),
    ):
        chart = go.Figure(layout={"title": title, "height": 480, "hovermode": "x unified"})
        for drawn in dict.fromkeys(row.drawn for row in rows):
            of_way = [row for row in rows if row.drawn == drawn]
            chart.add_scatter(
                name=drawn,
                x=[row.images for row in of_way],
                y=[row.figures[name] for row in of_way],
                mode="lines+markers",
                line={"width": 4 if drawn in OURS else 2, "dash": None if drawn in OURS else "dot"},
            )
        chart.update_xaxes(title="images drawn", rangemode="tozero")
        chart.update_yaxes(tickformat=form, hoverformat=form, rangemode="tozero")
        text += chart.to_html(include_plotlyjs=not text, full_html=False)
    text += _table(f"Samples of {archive.name}", header, cells)
    page.write_text(f"<!DOCTYPE html><meta charset='utf-8'><title>sdindex compare</title>{text}")


def _table(title: str, header: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    import plotly.graph_objects as go

    table = go.Figure(
        go.Table(
            header={"values": header, "align": "left"},
            cells={"values": list(zip(*cells, strict=True)), "align": "left", "height": 28},
            columnwidth=[1, 2.5, *([1.5] * len(SHOWN))],
        ),
        {"title": title, "height": 240 + 28 * len(cells)},
    )
    return str(table.to_html(include_plotlyjs=False, full_html=False))
