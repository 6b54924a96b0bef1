"""Compare samples of an archive by what they are for: labels reached, and what is learnt of them.

Of each of many random splits by burst, two thirds are drawn from, and the rest is asked of a
classifier that learnt from just the sample. For archives of some thousand images.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sdindex import Index, SampledImage
from tests.bench import probe
from tests.bench.probe import Features, Numbers
from tests.bench.ways import (
    OTHERS,
    OURS,
    PEER,
    Draw,
    Pool,
    clustered_by,
    k_centre_of,
    of_peer,
)

SHARES = (0.02, 0.05, 0.1, 0.2)
DRAWN = 2 / 3  # of the bursts
RARE = 0.03  # of the labelled images
SEED = 1
ALL = "SELECT count(*) FROM image WHERE dhash IS NOT NULL AND missing_since IS NULL"
REACHED, RARE_REACHED = "labels reached", "rare labels reached"


class Options(NamedTuple):
    """What to compare: an archive, its labels, and how.

    Attributes
    ----------
    pattern
        What finds the camera in a path, as for `index --camera-pattern`.
    peer
        A Python that has smartdownsample.
    page
        The file to write charts to.
    """

    archive: Path
    labels: Path
    splits: int = 30
    pattern: str | None = None
    peer: str | None = None
    page: Path | None = None


@dataclass(frozen=True)
class Archive:
    """All images, in natural order: what samples are drawn from, and judged by.

    Attributes
    ----------
    everything
        As one pool.
    labels
        The number of each image's first label; -1 without one.
    bursts
        The number of each image's burst.
    features
        Features by what they are of.
    """

    everything: Pool
    labels: Numbers
    bursts: Numbers
    features: dict[str, Features]


class Mean(NamedTuple):
    """The mean of a figure over the splits, and its standard error."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ± {self.error:.2f}"


Table = dict[str, dict[float, Mean]]  # by the way a sample was drawn, and its share


def compare(options: Options) -> None:
    """Print Markdown tables of the samples' figures, and write a page with charts of them."""
    with (
        tempfile.TemporaryDirectory(prefix="sdindex-compare-") as folder,
        Index(Path(folder) / "sdindex.db") as index,
    ):
        index.update(options.archive, camera_pattern=options.pattern)
        index.import_labels(options.labels)
        archive = read(index)
        tables = measured(archive, options)
    labelled = archive.labels[archive.labels >= 0]
    print(
        f"{len(archive.labels):,} images in {len(set(archive.bursts.tolist())):,} bursts; "
        f"{len(labelled):,} labelled, {len(set(labelled.tolist()))} labels, "
        f"{len(rare_labels(archive.labels))} of them rare; {options.splits} splits."
    )
    for figure, table in tables.items():
        print(f"\n| {figure} | {' | '.join(f'{share:.0%}' for share in SHARES)} |")
        print(f"|---|{'---|' * len(SHARES)}")
        for way, means in table.items():
            print(f"| {way} | {' | '.join(str(means[share]) for share in SHARES)} |")
    if options.page:
        write_page(options.page, options.archive, tables)


def read(index: Index) -> Archive:
    """Return what there is to draw from."""
    with index.sql(ALL) as answer:
        ((images,),) = answer.rows
    every = index.select(images, with_bursts=True)
    paths = [one.path for one in every]
    features = {"what the index holds": probe.of_index(index, images)}
    if probe.has_network():
        features["a network's features"] = probe.of_network(paths)
    pool = Pool(
        index,
        paths,
        np.array([int(one.dhash, 16) for one in every], np.uint64),
        numbered([one.camera for one in every]),
        numbered([one.event for one in every]),
        np.arange(images),
    )
    labels = numbered([_label(one) for one in every])
    bursts = numbered([one.burst for one in every])
    return Archive(pool, labels, bursts, features)


def _label(image: SampledImage) -> str | None:
    return image.labels[0] if image.labels else None


def numbered(values: Sequence[Any]) -> Numbers:
    """Return the same values as numbers; None as -1."""
    numbers: dict[Any, int] = {}
    return np.array(
        [-1 if value is None else numbers.setdefault(value, len(numbers)) for value in values]
    )


def rare_labels(labels: Numbers) -> set[int]:
    """Return the labels that fewer than 3% of the labelled images have."""
    found, images = np.unique(labels[labels >= 0], return_counts=True)
    return set(found[images < RARE * images.sum()].tolist())


def measured(archive: Archive, options: Options) -> dict[str, Table]:
    """Return the means over all splits, by figure, way and share."""
    found: dict[str, dict[str, dict[float, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    rare = rare_labels(archive.labels)
    for asked, share, way, sample in samples(archive, options):
        drawn_from = np.setdiff1d(np.arange(len(archive.labels)), asked)
        there = set(archive.labels[drawn_from].tolist()) - {-1}
        got = set(archive.labels[sample].tolist())
        figures = [(REACHED, there), (RARE_REACHED, there & rare)]
        for figure, wanted in figures:
            if wanted:
                found[figure][way][share].append(len(got & wanted) / len(wanted))
        asked = asked[np.isin(archive.labels[asked], list(there))]
        for name, features in archive.features.items():
            if len(asked):
                right = probe.recall(features, archive.labels, sample, asked)
                found[f"recall by {name}"][way][share].append(right)
    return {
        figure: {
            way: {share: _mean(values) for share, values in of_way.items()}
            for way, of_way in ways.items()
        }
        for figure, ways in found.items()
    }


def _mean(values: Sequence[float]) -> Mean:
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0
    return Mean(float(np.mean(values)), float(error))


def samples(archive: Archive, options: Options) -> Iterator[tuple[Numbers, float, str, Numbers]]:
    """Yield what is asked of a classifier, the share drawn of the rest, how, and the sample."""
    pool = archive.everything
    at_path = {path: at for at, path in enumerate(pool.paths)}
    splits = [_split(archive, seed) for seed in range(options.splits)]
    theirs = _of_peer(pool, splits, options.peer) if options.peer else []
    others = dict(OTHERS)
    for name, features in archive.features.items():
        if name != "what the index holds":
            others[f"k-centre on {name}"] = k_centre_of(features)
            others[f"smartdownsample 2's rule on {name}"] = clustered_by(features)
    for number, (drawn_from, asked) in enumerate(splits):
        part = replace(pool, positions=drawn_from)
        for at, share in enumerate(SHARES):
            count = _count(share, drawn_from)
            for way, given in OURS.items():
                paths = part.ours(count, given)
                yield asked, share, way, np.array([at_path[path] for path in paths])
            for way, sample in _others(part, count, others, number):
                yield asked, share, way, sample
            if theirs:
                yield asked, share, PEER, np.array([at_path[one] for one in theirs[number][at]])


def _others(
    part: Pool, count: int, ways: dict[str, Draw], split: int
) -> Iterator[tuple[str, Numbers]]:
    for way, draw in ways.items():
        yield way, np.array(draw(part, count, np.random.default_rng([SEED, split, count])))


def _split(archive: Archive, seed: int) -> tuple[Numbers, Numbers]:
    """Return the positions of images to draw from, and of those to ask; no burst is in both."""
    bursts = np.random.default_rng([SEED, seed]).permutation(np.unique(archive.bursts))
    is_drawn = np.isin(archive.bursts, bursts[: round(DRAWN * len(bursts))])
    return np.flatnonzero(is_drawn), np.flatnonzero(~is_drawn)


def _count(share: float, drawn_from: Numbers) -> int:
    return max(1, round(share * len(drawn_from)))


def _of_peer(pool: Pool, splits: Sequence[tuple[Numbers, Numbers]], python: str) -> Any:
    return of_peer(
        python,
        [
            ([pool.paths[at] for at in part], [_count(share, part) for share in SHARES])
            for part, _ in splits
        ],
    )


def write_page(page: Path, archive: Path, tables: dict[str, Table]) -> None:
    """Write a page with a chart of each figure: its mean by the share drawn."""
    import plotly.graph_objects as go

    text = ""
    for figure, table in tables.items():
        title = f"{archive.name}: {figure}"
        chart = go.Figure(layout={"title": title, "height": 560, "hovermode": "x unified"})
        for way, means in table.items():
            ours = way in OURS
            chart.add_scatter(
                name=way,
                x=list(means),
                y=[mean.value for mean in means.values()],
                error_y={"array": [mean.error for mean in means.values()], "thickness": 1},
                mode="lines+markers",
                line={"width": 3 if ours else 2, "dash": None if ours else "dot"},
            )
        chart.update_xaxes(title="share drawn", tickformat=".0%", rangemode="tozero")
        chart.update_yaxes(hoverformat=".2f", rangemode="tozero")
        text += chart.to_html(include_plotlyjs=not text, full_html=False)
    page.write_text(f"<!DOCTYPE html><meta charset='utf-8'><title>sdindex compare</title>{text}")
