#!/usr/bin/env python3
"""Hold samples of an archive against each other; print a Markdown table and write a page.

For samples from 2% to 30% of the images: how near the nearest sampled image is, how many
near-duplicates a sample has, and what it reaches. Beside sdindex: the mean of 30 random
samples, a plain stride, greedy k-centre on the hashes (the next image is always the one
farthest from all before it), and smartdownsample. For archives of some 10,000 images.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from environment import CHECKOUT, environment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ARCHIVE = CHECKOUT.parent / "shared" / "data" / "archive"
SHARES = (0.02, 0.05, 0.1, 0.2, 0.3)
PEER = "smartdownsample==1.1.1"
PEER_CALL = """
import json, sys
from smartdownsample import sample_diverse
paths = [line.rstrip("\\n") for line in sys.stdin]
counts = map(int, sys.argv[1:])
print(json.dumps([sample_diverse(paths, n, n_workers=4, show_progress=False) for n in counts]))
"""
OURS = ("sdindex --unit image", "sdindex --unit burst")
MEAN, SHARE = "mean distance in bits", "near-duplicates"
SHOWN = (MEAN, "greatest distance in bits", SHARE, "buckets", "cameras", "labels")


class Row(NamedTuple):
    """A sample: how many images were asked for, how it was drawn, and its figures by name."""

    count: int
    drawn: str
    figures: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", nargs="?", type=Path, default=ARCHIVE, metavar="ARCHIVE",
                        help="a folder of images (default: the one for tests)")  # fmt: skip
    parser.add_argument("--labels", type=Path, metavar="FILE",
                        help="labels (default: labels.csv in ARCHIVE or beside it)")  # fmt: skip
    parser.add_argument("--page", type=Path, help="write a page with charts of it here, too")
    parser.add_argument("--here", action="store_true", help="use this Python's packages")
    options = parser.parse_args()
    programs = Path(sys.executable).parent if options.here else environment("bench")
    if Path(sys.executable).parent != programs:  # the one that has sdindex in it
        os.execv(programs / "python", [str(programs / "python"), __file__, *sys.argv[1:]])  # noqa: S606
    if not options.archive.is_dir():
        sys.exit(f"no folder of images at {options.archive}")
    if options.here:
        peer = sys.executable if importlib.util.find_spec("smartdownsample") else None
    else:
        peer = str(environment("peer", package=PEER) / "python")
    archive = options.archive.resolve()
    beside = [place / "labels.csv" for place in (archive, archive.parent)]
    labels = options.labels or next((file for file in beside if file.exists()), None)
    with tempfile.TemporaryDirectory(prefix="sdindex-quality-") as folder:
        there, rows = measured(Path(folder) / "sdindex.db", archive, labels, peer)
    header = ["images", "drawn by"]
    header += [f"{name} of {there[name]}" if there[name] else name for name in SHOWN]
    cells = [[f"{row.count:,}", row.drawn, *map(shown, SHOWN, values(row))] for row in rows]
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for line in cells:
        print(f"| {' | '.join(line)} |")
    if options.page:
        write_page(options.page, archive, header, cells, rows)


def measured(
    db: Path, archive: Path, labels: Path | None, peer: str | None
) -> tuple[dict[str, int | None], list[Row]]:
    """Return how many buckets, cameras and so on there are, and the samples' figures."""
    from sdindex import Index, SampleOptions
    from sdindex.sampling.bursts import DEFAULT_DISTANCE
    from sdindex.sampling.quality import quality
    from sdindex.sampling.trim import DEFAULT_BITS
    from sdindex.store.database import Store
    from sdindex.store.population import population

    with Index(db) as index:
        index.update(archive)
        if labels is not None:
            index.import_labels(labels)
        with Store(db).reading() as connection:
            held = population(connection, SampleOptions())
        paths = [one.path for one in index.select(len(held))]  # in natural order, as it is
        place_of = {path: place for place, path in enumerate(paths)}
        counts = [max(1, round(share * len(held))) for share in SHARES]
        theirs = of_peer(peer, paths, counts) if peer else {}
        there: dict[str, int | None] = {}
        rows = []
        for count in counts:
            samples = {
                OURS[0]: [place_of[one.path] for one in index.select(count)],
                OURS[1]: [place_of[one.path] for one in index.select(count, unit="burst")],
                "greedy k-centre": k_centre(held.hashes, count),
            }
            if count in theirs:
                samples["smartdownsample 1.1.1"] = [place_of[path] for path in theirs[count]]
            for drawn, places in samples.items():
                found = quality(
                    held, held.ids[places].tolist(), bits=DEFAULT_BITS, distance=DEFAULT_DISTANCE
                ).measures
                there = {one.measure: one.of for one in found}
                rows.append(Row(count, drawn, {one.measure: one.sample for one in found}))
            rows.append(
                Row(count, "random, mean of 30", {one.measure: one.random for one in found})
            )
            rows.append(Row(count, "plain stride", {one.measure: one.stride for one in found}))
    return there, rows


def k_centre(hashes: NDArray[np.uint64], count: int) -> list[int]:
    """Return places: the first, then always the one that is farthest from all before it."""
    import numpy as np

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


def values(row: Row) -> list[float]:
    return [row.figures[name] for name in SHOWN]


def shown(name: str, value: float) -> str:
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
                x=[row.count for row in of_way],
                y=[row.figures[name] for row in of_way],
                mode="lines+markers",
                line={"width": 4 if drawn in OURS else 2, "dash": None if drawn in OURS else "dot"},
            )
        chart.update_xaxes(title="images drawn", rangemode="tozero")
        chart.update_yaxes(tickformat=form, hoverformat=form, rangemode="tozero")
        text += chart.to_html(include_plotlyjs=not text, full_html=False)
    columns = list(zip(*cells, strict=True))
    table = go.Figure(
        go.Table(
            header={"values": header, "align": "left"},
            cells={"values": columns, "align": "left", "height": 28},
            columnwidth=[1, 2.5, *([1.5] * len(SHOWN))],
        ),
        {"title": f"Samples of {archive.name}", "height": 240 + 28 * len(cells)},
    )
    text += table.to_html(include_plotlyjs=False, full_html=False)
    page.write_text(f"<!DOCTYPE html><meta charset='utf-8'><title>sdindex quality</title>{text}")


if __name__ == "__main__":
    main()
