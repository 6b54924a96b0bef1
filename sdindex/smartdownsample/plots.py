"""The plots of smartdownsample 1.1.1."""

import warnings
import webbrowser
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from sdindex.arguments import AnyPath, flag, optional, path, positive, text
from sdindex.errors import UsageError
from sdindex.pages import charts
from sdindex.smartdownsample import shown

_PIXELS_PER_INCH = 100
_DRAWN = ("all_paths", "selected_indices", "hash_arrays", "bucket_assignments")  # for the map
_PAGES = (".html", ".htm")


def plot_bucket_distribution(
    bucket_stats: Sequence[dict[str, Any]],
    title: str = "Bucket Distribution: Kept vs Excluded",
    figsize: tuple[float, float] = (12, 6),
    save_path: AnyPath | None = None,
) -> None:
    """Show what is kept of each bucket, the largest first.

    Parameters
    ----------
    bucket_stats
        From `sample_diverse_with_stats`.
    title
        Above the chart.
    figsize
        Width and height in inches of 100 pixels.
    save_path
        A file to write, too: a page (.html) or a picture (.png, .svg, .pdf and others).

    Raises
    ------
    OutputError
        When the chart cannot be written.
    UsageError
        When an argument is wrong.
    """
    _require("bucket_stats", bucket_stats, ("original_size", "kept", "excluded"))
    sides = _sides(figsize)
    width, height = (round(side * _PIXELS_PER_INCH) for side in sides)
    heading, file = text("title", title), optional(path, "save_path", save_path)
    if not bucket_stats:
        print("No bucket statistics available")
        return
    ranked = sorted(bucket_stats, key=lambda bucket: -bucket["original_size"])
    figure = charts.bucket_bars(
        [
            f"Bucket {rank} ({bucket['original_size']} total)"
            for rank, bucket in enumerate(ranked, 1)
        ],
        kept := [bucket["kept"] for bucket in ranked],
        left := [bucket["excluded"] for bucket in ranked],
    )
    figure.update_layout(title=escape(heading, quote=False), width=width, height=height)
    if file is not None:
        _save(figure, file, lambda pictures: pictures.bucket_bars(kept, left, heading, sides))
    _show(figure)


def plot_hash_similarity_scatter(
    selection_data: dict[str, Any],
    title: str = "Image Selection by Visual Similarity",
    save_path: AnyPath | None = None,
    show_browser: bool = True,
) -> go.Figure:
    """Show the images by the similarity of their hashes, selected and excluded.

    Parameters
    ----------
    selection_data
        From `sample_diverse_with_stats`.
    title, save_path
        As for `plot_bucket_distribution`.
    show_browser
        Open the chart in a browser.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    OutputError, UsageError
        As `plot_bucket_distribution` does.
    """
    _require("selection_data", [selection_data], _DRAWN)
    heading, file = text("title", title), optional(path, "save_path", save_path)
    is_shown = flag("show_browser", show_browser)
    paths = selection_data["all_paths"]
    bits = np.asarray(selection_data["hash_arrays"], dtype=bool)
    arrays = bits.reshape(len(paths), -1) if len(paths) else bits.reshape(0, 1)
    kept = np.zeros(len(paths), dtype=bool)
    kept[selection_data["selected_indices"]] = True
    coordinates = charts.map_hashes(arrays)
    figure = charts.hash_map(coordinates, kept)
    for trace in figure.data:
        trace.text = [
            f"{escape(paths[row], quote=False)}<br>"
            f"Bucket: {selection_data['bucket_assignments'][row]}"
            for row in trace.customdata
        ]
        trace.update(hoverinfo="text", name="Selected" if trace.name == "kept" else "Excluded")
    figure.update_layout(title=escape(heading, quote=False), width=900, height=600)
    if file is not None:
        _save(figure, file, lambda pictures: pictures.hash_map(coordinates, kept, heading))
    if is_shown:
        _show(figure)
    return figure


def _require(name: str, given: object, keys: Sequence[str]) -> None:
    """Refuse what `sample_diverse_with_stats` does not return: dicts without these keys."""
    dicts = given if isinstance(given, Sequence) else [None]
    if not all(isinstance(each, dict) and each.keys() >= set(keys) for each in dicts):
        raise UsageError(f"{name} must be what sample_diverse_with_stats returns")


def _sides(figsize: object) -> tuple[float, float]:
    match figsize:
        case (width, height):
            return positive("figsize", width), positive("figsize", height)
    raise UsageError("figsize must be a width and a height, in inches")


def _show(figure: go.Figure) -> None:
    try:
        figure.show()
    except webbrowser.Error:
        warnings.warn("there is no browser to show the chart in", stacklevel=3)


def _save(figure: go.Figure, path: str, drawn: Callable[[Any], Any]) -> None:
    """Write a chart as a page, or as the picture that is drawn of the same."""
    ending = Path(path).suffix.lower()
    if ending in _PAGES:
        shown.write(path, str(figure.to_html()).encode("utf-8"))
        return
    from sdindex.pages import pictures  # matplotlib, for this alone

    if ending not in pictures.ENDINGS:
        raise UsageError(
            f"save_path must end in .html, {', '.join(pictures.ENDINGS[:-1])} or "
            f"{pictures.ENDINGS[-1]}, not {Path(path).name!r}"
        )
    shown.write(path, pictures.content(drawn(pictures), ending))
