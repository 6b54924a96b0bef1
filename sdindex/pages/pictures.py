"""Charts as pictures, such as PNG, drawn by matplotlib, which needs no browser.

Figures are made without ``pyplot``, which would keep them in memory and open windows.
"""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sdindex.pages.charts import KEPT, LEFT_OUT

ENDINGS = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp")
_DOTS_PER_INCH = 100
_NAMED = 40  # bars; with more, names would overlap


def bucket_bars(
    kept: Sequence[int], left_out: Sequence[int], title: str, size: tuple[float, float]
) -> Figure:
    """Return a bar for each bucket, of the images kept and left out; the size is in inches."""
    figure = Figure(figsize=size, dpi=_DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    at = np.arange(1, len(kept) + 1)
    axes.bar(at, kept, color=KEPT, label="Kept")
    axes.bar(at, left_out, bottom=kept, color=LEFT_OUT, label="Excluded")
    axes.set_xlabel("Bucket, the largest first")
    axes.set_ylabel("Images")
    if len(kept) <= _NAMED:
        axes.set_xticks(at)
    axes.set_title(title, parse_math=False)
    axes.legend()
    return figure


def hash_map(coordinates: NDArray[np.float64], kept: NDArray[np.bool_], title: str) -> Figure:
    """Return a map of images by the similarity of their hashes, kept and left out."""
    figure = Figure(figsize=(9, 6), dpi=_DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    for name, colour, chosen in (("Excluded", LEFT_OUT, ~kept), ("Selected", KEPT, kept)):
        points = coordinates[chosen]
        axes.scatter(points[:, 0], points[:, 1], s=30, c=colour, alpha=0.8, label=name)
    axes.set_axis_off()
    axes.set_title(title, parse_math=False)
    axes.legend()
    return figure


def content(figure: Figure, ending: str) -> bytes:
    """Return the bytes of a figure as a file with this ending, one of `ENDINGS`."""
    written = io.BytesIO()
    figure.savefig(written, format=ending[1:])
    return written.getvalue()
