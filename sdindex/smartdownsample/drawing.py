"""`sample_diverse` and `sample_diverse_with_stats`, as in smartdownsample."""

import os
import warnings
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import imagehash
import numpy as np
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
    choice,
    flag,
    optional,
    path,
    whole,
)
from sdindex.errors import IndexMissingError, IndexUnusableError, SampleError, UsageError
from sdindex.hashing.image import FORMATS
from sdindex.hashing.methods import Method
from sdindex.indexing.executors import Threads
from sdindex.pages import charts
from sdindex.progress import bar
from sdindex.sampling.trim import stride, trim
from sdindex.smartdownsample import shown

_STORED_HASH_SIZE = 8  # an index has hashes of 8 x 8 bits


class Later(NamedTuple):
    """The parameters of versions 1.9 and 2.0 that 1.1.1 does not have.

    Attributes
    ----------
    distance_threshold
        Has no effect: buckets are made by bits of hashes, not by distances.
    show_summary
        Print what is kept of each bucket.
    save_distribution, save_thumbnails
        PNG files to write: a chart, and pictures of each bucket.
    image_loading_errors
        ``"raise"`` or ``"skip"``.
    return_indices
        Return positions in the list that was given, instead of paths.
    """

    distance_threshold: float | None = None
    show_summary: bool = False
    save_distribution: AnyPath | None = None
    save_thumbnails: AnyPath | None = None
    image_loading_errors: str = "skip"
    return_indices: bool = False


def sample_diverse(
    image_paths: Sequence[AnyPath],
    target_count: int,
    hash_size: int = 8,
    n_workers: int | None = None,
    show_progress: bool = True,
    random_seed: int = 42,
    *,
    index: AnyPath | None = None,
    distance_threshold: float | None = None,
    show_summary: bool = False,
    save_distribution: AnyPath | None = None,
    save_thumbnails: AnyPath | None = None,
    image_loading_errors: str = "skip",
    return_indices: bool = False,
) -> list[Any]:
    """Draw a varied sample from a list of images.

    The parameters are those of smartdownsample 1.1.1, and by name those of 1.9 and 2.0. By
    position, the third one of 2.0 (a fraction) and the sixth one of 1.9 and 2.0 (a truth value) are
    understood, too.

    Parameters
    ----------
    image_paths
        Image files; one that is named twice counts once.
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
        The path of an index that stores the hashes, so that the next call reads only changed files.
        It is made if it does not exist.
    distance_threshold
        Has no effect here, which a warning says.
    show_summary
        Print what is kept of each bucket.
    save_distribution, save_thumbnails
        PNG files to write: a chart of what is kept of each bucket, and up to 25 pictures of each
        bucket. Their folders are made.
    image_loading_errors
        What to do with images that cannot be read: ``"skip"`` them with a warning, or ``"raise"``.
    return_indices
        Return positions in `image_paths` instead of paths.

    Returns
    -------
    list
        `target_count` paths, as they were given, in natural order; fewer if fewer images can be
        read.

    Raises
    ------
    SampleError
        When `hash_size` is not 8 and an `index` is given; with ``"raise"``, when an image cannot be
        read.
    """
    asked = Later(
        distance_threshold,
        show_summary,
        save_distribution,
        save_thumbnails,
        image_loading_errors,
        return_indices,
    )
    size, asked = _by_position(hash_size, random_seed, asked)
    if asked.distance_threshold is not None:
        warnings.warn(
            "distance_threshold has no meaning here: look-alike images are told by the bits of "
            "their hashes; for smaller groups, see bits of sdindex.Index.select",
            stacklevel=2,
        )
    is_summary = flag("show_summary", asked.show_summary)
    distribution = _png("save_distribution", asked.save_distribution)
    thumbnails = _png("save_thumbnails", asked.save_thumbnails)
    selected, data = _sampled(
        image_paths, target_count, size, n_workers, show_progress, index, asked.image_loading_errors
    )
    shown.deliver(data, is_summary=is_summary, distribution=distribution, thumbnails=thumbnails)
    if flag("return_indices", asked.return_indices):
        positions: dict[str, int] = {}
        for position, file in enumerate(arguments.paths("image_paths", image_paths)):
            positions.setdefault(file, position)
        return [positions[file] for file in selected]
    return selected


def _by_position(hash_size: object, random_seed: object, asked: Later) -> tuple[Any, Later]:
    """Take positional arguments that mean another parameter in 1.9 and 2.0."""
    if isinstance(random_seed, bool):
        asked = asked._replace(show_summary=random_seed)
    if isinstance(hash_size, float) and not hash_size.is_integer():
        return _STORED_HASH_SIZE, asked._replace(distance_threshold=hash_size)
    return hash_size, asked


def _png(name: str, given: AnyPath | None) -> str | None:
    file = optional(path, name, given)
    if file is not None and not file.lower().endswith(".png"):
        raise UsageError(f"{name} must be a path that ends in .png, not {file!r}")
    return file


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
    """Draw a sample as `sample_diverse` does, and return it with the data for the plots.

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
    errors: str = "skip",
) -> tuple[list[str], dict[str, Any]]:
    """Read the images and draw; warnings point to the user's call."""
    wanted = whole("target_count", target_count)
    choice("image_loading_errors", errors, ("skip", "raise"))
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
    if unreadable and errors == "raise":
        raise SampleError(
            f"{len(unreadable):,} of {len(paths):,} images could not be read, the first "
            f"{unreadable[0]!r}; image_loading_errors='skip' leaves them out"
        )
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
    """Return the rows of each bucket's images, by the leading bits."""
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
    # Threads, as in smartdownsample: a script that calls this need not be guarded.
    with Index(index) as opened, Threads(workers) as executor:
        # A new index hashes as smartdownsample does, so that both give the same buckets.
        method: Method | None = "exact" if _is_new(opened) else None
        opened.update_files(
            paths, workers=workers, method=method, progress=show_progress, executor=executor
        )
        hashes = opened.hashes(paths)
    return dict(zip(hashes, charts.hash_bits(list(hashes.values())), strict=True))


def _is_new(index: Index) -> bool:
    try:
        index.samples()
    except IndexMissingError:
        return True
    except IndexUnusableError:  # an older one is upgraded; of others `update_files` says why
        return False
    return False
