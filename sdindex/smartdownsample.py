"""The functions of smartdownsample 1.1.1, so that programs move over by changing one import.

The parameters, the defaults and the shape of what is returned are the same. The sample is
drawn by this program's rule, which is the one that smartdownsample documents.
"""

import os
import warnings
import webbrowser
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from PIL import Image

from sdindex import arguments
from sdindex.api import Index
from sdindex.archive.names import to_text
from sdindex.archive.natural import sort_key
from sdindex.archive.roots import root_of
from sdindex.arguments import (
    DEFAULT_BITS,
    DEFAULT_WORKERS,
    AnyPath,
    flag,
    optional,
    path,
    positive,
    text,
    whole,
)
from sdindex.errors import SampleError, UsageError
from sdindex.exchange.output import refuse_link, replacing
from sdindex.hashing.image import FORMATS
from sdindex.hashing.methods import Method
from sdindex.indexing.executors import Threads
from sdindex.pages import charts
from sdindex.progress import bar
from sdindex.sampling.trim import stride, trim

_STORED_HASH_SIZE = 8  # an index has hashes of 8 x 8 bits
_PIXELS_PER_INCH = 100
_DRAWN = ("all_paths", "selected_indices", "hash_arrays", "bucket_assignments")  # for the map


def sample_diverse(
    image_paths: Sequence[AnyPath],
    target_count: int,
    hash_size: int = 8,
    n_workers: int | None = None,
    show_progress: bool = True,
    random_seed: int = 42,
    *,
    index: AnyPath | None = None,
) -> list[str]:
    """Draw a varied sample from a list of images.

    Parameters
    ----------
    image_paths
        Image files. One that is named twice counts once.
    target_count
        Images wanted.
    hash_size
        Rows and columns of the hash; 8 where an `index` is given.
    n_workers
        How many files are read at once; 4 by default.
    show_progress
        Show a bar on stderr.
    random_seed
        Has no effect: nothing here is left to chance.
    index
        The path of an index that keeps the hashes, so that the next call reads only what
        changed. It is made when it is not there.

    Returns
    -------
    list of str
        `target_count` paths, as they were given, in natural order: all that can be read
        when there are fewer. A warning says how many could not be read.

    Raises
    ------
    SampleError
        When `hash_size` is not 8 and an `index` is given.
    """
    del random_seed  # taken for the sake of the programs that give it
    selected, _ = _sampled(image_paths, target_count, hash_size, n_workers, show_progress, index)
    return selected


def sample_diverse_with_stats(
    image_paths: Sequence[AnyPath],
    target_count: int,
    hash_size: int = 8,
    n_workers: int | None = None,
    show_progress: bool = True,
    random_seed: int = 42,
    *,
    index: AnyPath | None = None,
) -> tuple[list[str], dict[str, Any]]:
    """Draw a sample as `sample_diverse` does, and tell what the plots need to know.

    Returns
    -------
    tuple
        The selected paths, and a dict: `bucket_stats`, for each bucket, the largest first,
        its `original_size`, how many are `kept` and `excluded`, and the `stride`; `all_paths`,
        those that could be read; `selected_indices` into them; `hash_arrays`, their n x
        `hash_size`² bits; and `bucket_assignments`, the position in `bucket_stats` of the
        bucket of each.
    """
    del random_seed
    return _sampled(image_paths, target_count, hash_size, n_workers, show_progress, index)


def _sampled(
    image_paths: Sequence[AnyPath],
    target_count: int,
    hash_size: int,
    n_workers: int | None,
    show_progress: bool,
    index: AnyPath | None,
) -> tuple[list[str], dict[str, Any]]:
    """Read the images, and draw; a warning is the caller's caller's."""
    wanted = whole("target_count", target_count)
    is_shown, kept = flag("show_progress", show_progress), optional(path, "index", index)
    paths = list(dict.fromkeys(arguments.paths("image_paths", image_paths)))
    side = whole("hash_size", hash_size, 2)
    workers = whole("n_workers", n_workers or DEFAULT_WORKERS, 1)
    if wanted <= 0:
        return [], _statistics([], [], np.array([]), [], {})
    if kept is None:
        bits = _read(paths, side, workers, is_shown)
    else:
        bits = _remembered(paths, side, workers, is_shown, kept)
    unreadable = [file for file in paths if file not in bits]
    if unreadable:
        warnings.warn(
            f"{len(unreadable):,} of {len(paths):,} images could not be read and are left out, "
            f"the first {unreadable[0]!r}",
            stacklevel=3,
        )
    return _drawn(bits, wanted, side)


def _drawn(
    bits: dict[str, NDArray[np.bool_]], count: int, hash_size: int
) -> tuple[list[str], dict[str, Any]]:
    """Return the paths of a sample of the images with these bits, and its statistics."""
    valid = sorted(bits, key=sort_key)
    arrays = np.array([bits[path] for path in valid])
    buckets = _buckets(arrays, hash_size)
    keep = trim({number: len(rows) for number, rows in buckets.items()}, count)
    chosen = sorted(
        buckets[number][position]
        for number, kept in keep.items()
        for position in stride(len(buckets[number]), kept)
    )
    ranked = sorted(buckets, key=lambda number: (-len(buckets[number]), number))
    in_order = {number: buckets[number] for number in ranked}
    return [valid[row] for row in chosen], _statistics(valid, chosen, arrays, in_order, keep)


def _statistics(
    paths: list[str],
    chosen: list[int],
    arrays: NDArray[np.bool_],
    buckets: Any,
    keep: dict[int, int],
) -> dict[str, Any]:
    assignments = [0] * len(paths)
    stats = []
    for rank, number in enumerate(buckets):
        size, kept = len(buckets[number]), keep[number]
        stats.append(
            {
                "original_size": size,
                "kept": kept,
                "excluded": size - kept,
                "stride": size // kept if kept else 0,
            }
        )
        for row in buckets[number]:
            assignments[row] = rank
    return {
        "bucket_stats": stats,
        "all_paths": paths,
        "selected_indices": chosen,
        "hash_arrays": arrays,
        "bucket_assignments": assignments,
    }


def _buckets(arrays: NDArray[np.bool_], hash_size: int) -> dict[int, list[int]]:
    """Return the rows of the images of each bucket, which the leading bits name."""
    leading = min(DEFAULT_BITS, hash_size)
    buckets: dict[int, list[int]] = defaultdict(list)
    for row, bits in enumerate(arrays):
        buckets[int("".join("01"[bit] for bit in bits[:leading].astype(int)), 2)].append(row)
    return dict(buckets)


def _read(
    paths: Sequence[str], hash_size: int, workers: int, show_progress: bool
) -> dict[str, NDArray[np.bool_]]:
    """Return the bits of each file that can be read."""

    def read(path: str) -> NDArray[np.bool_] | None:
        try:
            folder, name = os.path.split(os.path.abspath(path))
            with (
                root_of(folder).open(to_text(name)) as file,
                Image.open(file, formats=FORMATS) as image,
            ):
                flat: NDArray[np.bool_] = imagehash.dhash(image.convert("RGB"), hash_size).hash
                return flat.flatten()
        except Exception:  # noqa: BLE001  (a decoder may raise anything; the caller is warned)
            return None

    with ThreadPoolExecutor(workers) as executor:
        results = executor.map(read, paths)
        found = {}
        with bar(len(paths), "reading", show=show_progress) as shown:
            for path, bits in zip(paths, results, strict=True):
                shown.update()
                if bits is not None:
                    found[path] = bits
        return found


def _remembered(
    paths: Sequence[str], hash_size: int, workers: int, show_progress: bool, index: AnyPath
) -> dict[str, NDArray[np.bool_]]:
    """Return the bits of each file from an index, which reads those that changed."""
    if hash_size != _STORED_HASH_SIZE:
        raise SampleError(f"an index holds hashes of hash_size 8, not {hash_size}")
    if not paths:
        return {}
    # A new index hashes as smartdownsample does, so that both give the same buckets.
    method: Method | None = None if Path(index).exists() else "exact"
    # Threads, as in smartdownsample: a script that calls this need not be guarded.
    with Index(index) as opened, Threads(workers) as executor:
        opened.update_files(
            paths, workers=workers, method=method, progress=show_progress, executor=executor
        )
        hashes = opened.hashes(paths)
    return dict(zip(hashes, charts.hash_bits(list(hashes.values())), strict=True))


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
        A file to write, too: .html always works, .png and others with ``sdindex[png]``.

    Raises
    ------
    SampleError, OutputError
        When the chart cannot be made, or written.
    UsageError
        When an argument is not what is said here.
    """
    _require("bucket_stats", bucket_stats, ("original_size", "kept", "excluded"))
    width, height = (round(side * _PIXELS_PER_INCH) for side in _sides(figsize))
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
        [bucket["kept"] for bucket in ranked],
        [bucket["excluded"] for bucket in ranked],
    )
    figure.update_layout(title=escape(heading, quote=False), width=width, height=height)
    _finish(figure, file, show=True)


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
    SampleError, OutputError, UsageError
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
    figure = charts.hash_map(charts.map_hashes(arrays), kept)
    for trace in figure.data:
        trace.text = [
            f"{escape(paths[row], quote=False)}<br>"
            f"Bucket: {selection_data['bucket_assignments'][row]}"
            for row in trace.customdata
        ]
        trace.update(hoverinfo="text", name="Selected" if trace.name == "kept" else "Excluded")
    figure.update_layout(title=escape(heading, quote=False), width=900, height=600)
    _finish(figure, file, show=is_shown)
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


def _finish(figure: go.Figure, save_path: str | None, *, show: bool) -> None:
    if save_path is not None:
        _save(figure, Path(save_path))
    if show:
        try:
            figure.show()
        except webbrowser.Error:
            warnings.warn("there is no browser to show the chart in", stacklevel=3)


def _save(figure: go.Figure, path: Path) -> None:
    refuse_link(str(path), "name the file itself, or remove the link")
    content = _content(figure, path)
    with replacing(str(path)) as file:
        file.write(content)


def _content(figure: go.Figure, path: Path) -> bytes:
    """Return what is to be in a file, by its name's ending."""
    ending = path.suffix.lower()
    if ending in (".html", ".htm"):
        return str(figure.to_html()).encode("utf-8")
    try:
        return bytes(figure.to_image(format=ending[1:] or None))
    except (ImportError, ValueError, RuntimeError) as problem:
        first = str(problem).strip().partition("\n")[0]
        raise SampleError(
            f"cannot write {path.name}: a picture needs pip install 'sdindex[png]' and a Chrome "
            f"or Chromium; a name that ends in .html needs neither ({first})"
        ) from problem
