"""The charts of a report, drawn with plotly from plain numbers."""

from collections.abc import Sequence
from datetime import date, timedelta
from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

KEPT, LEFT_OUT = "#2f7fd1", "#d6a24a"


def bucket_bars(names: Sequence[str], kept: Sequence[int], left_out: Sequence[int]) -> go.Figure:
    """Return a chart with a bar for each bucket: images kept and left out."""
    figure = go.Figure(
        [
            go.Bar(name="kept", x=_shown(names), y=kept, marker_color=KEPT),
            go.Bar(name="left out", x=_shown(names), y=left_out, marker_color=LEFT_OUT),
        ]
    )
    figure.update_layout(barmode="stack", xaxis_type="category", xaxis_title="bucket")
    figure.update_yaxes(title="images")
    return figure


def label_curve(points: Sequence[tuple[int, int, float]]) -> go.Figure:
    """Return the curve of labels reached by sample size, beside that of random samples."""
    images, sample, random = zip(*points, strict=True)
    figure = go.Figure()
    for name, colour, reached in (("drawn so", KEPT, sample), ("random", LEFT_OUT, random)):
        figure.add_scatter(
            name=name, mode="lines+markers", x=images, y=reached, line_color=colour,
            hovertemplate="%{y:.1f} labels at %{x:,} images<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.update_xaxes(title="images drawn", type="log")
    figure.update_yaxes(title="labels", rangemode="tozero")
    return figure


def time_bubbles(
    cameras: Sequence[str],
    cells: Sequence[tuple[int, str, int, int]],
    gaps: Sequence[tuple[date, date]] = (),
    ticks: Sequence[date] = (),
) -> go.Figure:
    """Return a chart with a row for each camera, and on it a bubble for each day.

    Parameters
    ----------
    cameras
        The names of the rows, from the top.
    cells
        For each bubble: the row in `cameras`, the day (ISO 8601), the number of images, and how
        many of them the sample has.
    gaps
        First and last days of stretches that the axis leaves out.
    ticks
        Days that the axis names, if it has gaps.
    """
    names = _shown(cameras)
    largest = max((images for _, _, images, _ in cells), default=1)
    figure = go.Figure()
    for label, colour, opacity, counted in (
        ("in the archive", LEFT_OUT, 0.55, [(cell, cell[2]) for cell in cells]),
        ("in the sample", KEPT, 0.9, [(cell, cell[3]) for cell in cells if cell[3]]),
    ):
        figure.add_scatter(
            name=label,
            mode="markers",
            x=[day for (_, day, _, _), _ in counted],
            y=[names[camera] for (camera, _, _, _), _ in counted],
            customdata=[(sampled, images) for (_, _, images, sampled), _ in counted],
            hovertemplate="%{y}, %{x}<br>%{customdata[0]:,} of %{customdata[1]:,}<extra></extra>",
            marker={
                "color": colour,
                "size": [4 + 20 * np.sqrt(images / largest) for _, images in counted],
                "line": {"width": 0},
                "opacity": opacity,
            },
        )
    breaks = [{"bounds": [first.isoformat(), last.isoformat()]} for first, last in gaps]
    figure.update_xaxes(type="date", rangebreaks=breaks)
    if breaks:  # plotly's own ticks could fall into the gaps
        named = [f"{day:%b} {day.year}" for day in ticks]
        figure.update_xaxes(tickvals=[day.isoformat() for day in ticks], ticktext=named)
    days = {date.fromisoformat(day) for _, day, _, _ in cells}
    if len(days) == 1:  # else plotly would show a single millisecond
        (only,) = days
        around = timedelta(days=min(3, (date.max - only).days, (only - date.min).days))
        figure.update_xaxes(range=[only - around, only + around])
    order = {"categoryorder": "array", "categoryarray": names[::-1], "dtick": 1}
    figure.update_yaxes(type="category", **order)
    return figure


def hash_map(coordinates: NDArray[np.float64], kept: NDArray[np.bool_]) -> go.Figure:
    """Return a map of images by similarity of hashes; kept and left out ones in two colours.

    Parameters
    ----------
    coordinates
        n x 2 coordinates, as `map_hashes` gives them.
    kept
        n flags. Each point's `customdata` is its row in `coordinates`.
    """
    figure = go.Figure()
    for label, colour, chosen in (("left out", LEFT_OUT, ~kept), ("kept", KEPT, kept)):
        rows = np.flatnonzero(chosen)
        figure.add_scatter(
            name=label,
            mode="markers",
            x=coordinates[rows, 0].round(3).tolist(),
            y=coordinates[rows, 1].round(3).tolist(),
            customdata=rows.tolist(),
            hoverinfo="none",
            marker={"color": colour, "size": 8, "opacity": 0.8, "line": {"width": 0}},
        )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def map_hashes(bits: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return n x 2 coordinates that show as much of the hashes' differences as two can.

    The first two principal components of the n x 64 bits, each turned so that its largest
    weight is positive: the same hashes give the same map everywhere.
    """
    centred = bits.astype(np.float64) - (bits.mean(axis=0) if len(bits) else 0)
    if len(bits) < 2:
        return np.zeros((len(bits), 2))
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, :-3:-1]
    strongest = axes[np.abs(axes).argmax(axis=0), [0, 1]]
    coordinates: NDArray[np.float64] = centred @ (axes * np.sign(strongest))
    return coordinates


def hash_bits(dhashes: Sequence[int]) -> NDArray[np.bool_]:
    """Return signed 64-bit hashes as n x 64 bits, the highest first."""
    patterns = np.array(dhashes, dtype=">i8").reshape(-1, 1)
    return np.unpackbits(patterns.view(np.uint8), axis=1).astype(bool)


def _shown(names: Sequence[str]) -> list[str]:
    """Return names escaped, so that plotly does not take them for markup."""
    return [escape(name, quote=False) for name in names]
